"""A context as the gathering leaves it: the checkout fails because of the order database, it seems."""

from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.facts import (
    AlertFact,
    ChangeFact,
    EntityRef,
    IncidentFacts,
    MaintenanceFact,
    NoteFact,
    OnCallFact,
    OtherIncident,
    UntrustedText,
)
from calmo_pagerduty.contexts.model import (
    Assessment,
    Candidate,
    Contribution,
    DependencyNode,
    DependencyView,
    Impact,
    IncidentContext,
    Misrouting,
    PastResponse,
    PersonToInvolve,
    Recommendation,
    Recurrence,
    RootCause,
    SimilarIncident,
    SourceReport,
)
from calmo_pagerduty.contexts.runs import ContextState
from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.incident_ref import IncidentRef

BEGAN = datetime(2026, 11, 20, 2, 41, tzinfo=UTC)
SITE = "https://lantern-lane.pagerduty.com"


def service(id: str, name: str, kind: str = "service") -> EntityRef:
    return EntityRef(id=id, kind=kind, name=name, url=f"{SITE}/service-directory/{id}")


CHECKOUT = service("PCHECK0", "Checkout API")
DATABASE = service("PORDERS", "Order database")
GATEWAY = service("PGATEWY", "Payment gateway")
STORAGE = service("PSTORAG", "Block storage")
WEB = service("PSHOPWB", "Shop web")
MOBILE = service("PMOBILE", "Mobile app backend")
BUYING = service("BBUYING", "Buying", "business_service")
RETURNS = service("BRETURN", "Returns and refunds", "business_service")
AMARA = EntityRef(id="UAMARA0", kind="user", name="Amara Okafor", url=f"{SITE}/users/UAMARA0")
LUC = EntityRef(id="ULUC000", kind="user", name="Luc Delorme", url=f"{SITE}/users/ULUC000")
PRIYA = EntityRef(id="UPRIYA0", kind="user", name="Priya Raman", url=f"{SITE}/users/UPRIYA0")
PLATFORM = EntityRef(id="TPLATFO", kind="team", name="Platform")


def incident(id: str, name: str) -> EntityRef:
    return EntityRef(id=id, kind="incident", name=name, url=f"{SITE}/incidents/{id}")


THIS = incident("Q1CHECKOUT", "#4711")
DATABASE_INCIDENT = incident("Q1DATABASE", "#4710")
DEPLOY = EntityRef(
    id="01DEPLOY", kind="change", name="Deploy 2231", url="https://ci.lantern-lane.example/2231"
)


def minutes(count: float) -> datetime:
    """Return a time that many minutes before the incident."""
    return BEGAN - timedelta(minutes=count)


def reports(**states: tuple[SourceState, str]) -> tuple[SourceReport, ...]:
    """Return a report of every source; those not named are complete."""
    found = []
    for source, rule in SOURCES.items():
        state, reason = states.get(source.name, (SourceState.COMPLETE, ""))
        found.append(
            SourceReport(
                source=source,
                title=rule.title,
                state=state,
                reason=reason,
                requests=1,
                seconds=0.4,
                count=0 if reason else 3,
                fetched_at=BEGAN + timedelta(seconds=20),
            )
        )
    return tuple(found)


def root_cause() -> RootCause:
    return RootCause(
        candidates=(
            Candidate(
                kind="change",
                thing=DEPLOY,
                summary=UntrustedText(text="Deploy 2231: smaller connection pool"),
                at=minutes(9),
                lead_seconds=540.0,
                hops=1,
                path=(DATABASE, CHECKOUT),
                rate_per_day=0.46,
                chance=0.0029,
                lift=3.1,
                score=2.4,
                pagerduty_reason="most_recent",
            ),
            Candidate(
                kind="incident",
                thing=DATABASE_INCIDENT,
                summary=UntrustedText(text="Order database refuses writes"),
                at=minutes(4),
                lead_seconds=240.0,
                hops=1,
                path=(DATABASE, CHECKOUT),
                rate_per_day=0.1,
                chance=0.004,
                score=1.7,
                source=Source.OPEN_INCIDENTS,
            ),
        ),
        considered=17,
        reason=(
            "17 sources were looked at; of incidents that nothing led up to, at most 5% show a candidate."
        ),
    )


def similar() -> tuple[SimilarIncident, ...]:
    return (
        SimilarIncident(
            incident=incident("Q0OLD1", "#4120"),
            title=UntrustedText(text="Checkout API: error rate above 8 %"),
            service=CHECKOUT,
            score=0.81,
            hops=0,
            created_at=BEGAN - timedelta(days=12),
            resolved_after_seconds=1_450.0,
            resolution=UntrustedText(text="Raised the pool to 80 and restarted the order database's proxy."),
            handled=(
                PastResponse(
                    who=AMARA, did="acknowledged", at=BEGAN - timedelta(days=12) + timedelta(minutes=3)
                ),
                PastResponse(
                    who=AMARA, did="resolved", at=BEGAN - timedelta(days=12) + timedelta(minutes=24)
                ),
            ),
            pagerduty_agrees=True,
        ),
        SimilarIncident(
            incident=incident("Q0OLD2", "#3975"),
            title=UntrustedText(text="Order database refuses connections"),
            service=DATABASE,
            score=0.44,
            hops=1,
            created_at=BEGAN - timedelta(days=41),
            resolved_after_seconds=5_100.0,
            handled=(
                PastResponse(who=LUC, did="resolved", at=BEGAN - timedelta(days=41) + timedelta(minutes=85)),
            ),
        ),
    )


def impact() -> Impact:
    return Impact(
        score=72.0,
        confidence=0.9,
        words="High impact: 72 of 100, 90% of the weight known",
        contributions=(
            Contribution(factor="priority", weight=30, points=24, why="P2", source=Source.PRIORITIES),
            Contribution(
                factor="business_services",
                weight=25,
                points=21.88,
                why="2 are impacted: Buying, Returns",
                source=Source.BUSINESS_IMPACT,
            ),
            Contribution(
                factor="blast_radius",
                weight=15,
                points=9,
                why="4 services depend on it",
                source=Source.DEPENDENCIES,
            ),
            Contribution(factor="urgency", weight=10, points=10, why="high", source=Source.INCIDENT),
            Contribution(
                factor="escalation", weight=10, points=2, why="1 escalation of 3 levels", source=Source.LOG
            ),
            Contribution(
                factor="responders", weight=5, points=2, why="2 people asked to join", source=Source.INCIDENT
            ),
            Contribution(
                factor="alerts",
                weight=5,
                points=None,
                why="alerts could not be read",
                source=Source.ALERTS,
            ),
        ),
    )


def surrounding() -> DependencyView:
    return DependencyView(
        downstream=(
            DependencyNode(thing=WEB, hops=1, has_open_incident=True),
            DependencyNode(thing=MOBILE, hops=1),
        ),
        upstream=(
            DependencyNode(thing=DATABASE, hops=1, has_open_incident=True),
            DependencyNode(thing=GATEWAY, hops=1),
            DependencyNode(thing=STORAGE, hops=2),
        ),
        business=(DependencyNode(thing=BUYING, hops=2), DependencyNode(thing=RETURNS, hops=2)),
        failing_path=(DATABASE, CHECKOUT),
        edges=(
            (DATABASE.id, CHECKOUT.id),
            (GATEWAY.id, CHECKOUT.id),
            (STORAGE.id, DATABASE.id),
            (CHECKOUT.id, WEB.id),
            (CHECKOUT.id, MOBILE.id),
            (WEB.id, BUYING.id),
            (MOBILE.id, BUYING.id),
            (WEB.id, RETURNS.id),
            (DATABASE.id, RETURNS.id),
        ),
    )


def assessment(**changes: Any) -> Assessment:
    facts: dict[str, Any] = {
        "incident": IncidentFacts(
            incident=THIS,
            title=UntrustedText(text="Checkout API: error rate above 5 %"),
            number=4711,
            status="triggered",
            urgency="high",
            priority="P2",
            created_at=BEGAN,
            service=CHECKOUT,
            teams=(EntityRef(id="TPAYMEN", kind="team", name="Payments"),),
            assignees=(PRIYA,),
            escalations=1,
        ),
        "alerts": (
            AlertFact(
                id="A1",
                summary=UntrustedText(text="HTTP 500 above 5 % for 3 min"),
                created_at=BEGAN,
                severity="critical",
                status="triggered",
                url=f"{SITE}/alerts/A1",
            ),
        ),
        "alert_count": 1,
        "notes": (
            NoteFact(who=PRIYA, at=minutes(-3), text=UntrustedText(text="Looks like timeouts to orders")),
        ),
        "changes": (
            ChangeFact(
                change=DEPLOY,
                summary=UntrustedText(text="Deploy 2231: smaller connection pool"),
                at=minutes(9),
                services=(DATABASE,),
                hops=1,
                pagerduty_reason="most_recent",
            ),
            ChangeFact(
                change=EntityRef(id="01FLAG", kind="change", name="Flag"),
                summary=UntrustedText(text="Flag new-basket on"),
                at=minutes(380),
                services=(CHECKOUT,),
                hops=0,
            ),
        ),
        "others": (
            OtherIncident(
                incident=DATABASE_INCIDENT,
                title=UntrustedText(text="Order database refuses writes"),
                service=DATABASE,
                status="acknowledged",
                created_at=minutes(4),
                where="upstream",
                hops=1,
            ),
            OtherIncident(
                incident=incident("Q1WEB", "#4712"),
                title=UntrustedText(text="Shop web: baskets can't be paid"),
                service=WEB,
                status="triggered",
                created_at=minutes(-2),
                where="downstream",
                hops=1,
            ),
        ),
        "surrounding": surrounding(),
        "similar": similar(),
        "recurrence": Recurrence(
            fingerprint="f00d",
            label="frequent",
            count=6,
            of=21,
            share=0.286,
            window_days=180.0,
            last_at=BEGAN - timedelta(days=12),
        ),
        "root_cause": root_cause(),
        "impact": impact(),
        "on_call": (
            OnCallFact(
                level=1,
                who=PRIYA,
                schedule=EntityRef(id="S1", kind="schedule", name="Payments primary"),
                until=minutes(-300),
                is_asleep=False,
                local_time="Fri 08:11 (Asia/Kolkata)",
            ),
            OnCallFact(level=2, who=LUC, is_asleep=True, local_time="Fri 03:41 (Europe/Paris)"),
        ),
        "recommendation": Recommendation(
            people=(
                PersonToInvolve(
                    who=AMARA,
                    score=1.42,
                    is_on_call=False,
                    is_asleep=False,
                    local_time="Fri 03:41 (Europe/Paris)",
                    reasons=("handled 3 similar incidents, the last 12 days ago",),
                    evidence=(incident("Q0OLD1", "#4120"),),
                ),
            ),
            tested_on=40,
            hit_at_3=0.78,
            baseline_hit_at_3=0.4,
            misrouting=(
                Misrouting(
                    service=CHECKOUT,
                    team=PLATFORM,
                    handed=9,
                    of=21,
                    at_least=0.31,
                    advice=(
                        "Point Checkout API at the escalation policy of Platform: 9 of its 21 incidents ended"
                        " there."
                    ),
                ),
            ),
        ),
        "maintenance": (
            MaintenanceFact(
                window=EntityRef(id="PWINDOW", kind="maintenance_window"),
                start=minutes(40),
                end=minutes(-80),
                description=UntrustedText(text="Block storage: firmware"),
                services=(STORAGE,),
            ),
        ),
    }
    facts["omitted"] = ("50 of 73 notes are listed",)
    return Assessment(**(facts | changes))


def a_context(version: int = 3, issue_id: str = "iss_" + "a" * 24, **changes: Any) -> IncidentContext:
    """Return a whole document; what is named in `changes` replaces what it would hold."""
    sources = reports(
        ALERTS=(SourceState.UNAVAILABLE, "PagerDuty did not answer within 45 s"),
        PAST_INCIDENTS=(SourceState.NOT_IN_PLAN, "the account's plan has no past incidents"),
    )
    values: dict[str, Any] = {
        "issue_id": issue_id,
        "connection_id": "con_abcdefgh",
        "incident_id": THIS.id,
        "version": version,
        "reasons": ("priority raised",),
        "begun_at": BEGAN + timedelta(seconds=10),
        "finished_at": BEGAN + timedelta(seconds=22),
        "requests": 23,
        "is_degraded": True,
        "sources": sources,
        "assessment": assessment(),
    }
    return IncidentContext(**(values | changes))


def store_context(transaction: Transaction, ref: IncidentRef, title: str = "", **changes: Any) -> int:
    """Store a context as the gathering does, and return its version. `title` is the incident's."""
    version = contexts.insert_version(transaction, ref, ("first event",), BEGAN)
    found = changes.pop("assessment", assessment())
    if title:
        incident_facts = found.incident.model_copy(update={"title": UntrustedText(text=title)})
        found = found.model_copy(update={"incident": incident_facts})
    document = a_context(
        version,
        ref.issue_id,
        connection_id=ref.connection_id,
        incident_id=ref.incident_id,
        assessment=found,
        **changes,
    )
    for report in document.sources:
        contexts.upsert_part(transaction, ref, version, part_of(report))
    contexts.mark_version_finished(
        transaction,
        ref,
        version,
        ContextState.COMPLETE,
        document.finished_at,
        requests=document.requests,
        is_degraded=document.is_degraded,
        document=document.model_dump(mode="json", by_alias=True),
    )
    return version


def part_of(report: SourceReport) -> contexts.ContextPart:
    """Return what a source brought, as this report tells of it."""
    return contexts.ContextPart(**report.model_dump(exclude={"title"}))
