"""Surroundings for tests: a builder says only what matters, and random worlds have no causes in them."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import build_neighbourhood
from calmo_pagerduty.contexts.analysis.inputs import (
    Alert,
    AssessmentInput,
    Change,
    Dependencies,
    Node,
    NodeKind,
    OpenIncident,
    PastIncident,
    Person,
    ResponderAction,
    ThisIncident,
)
from calmo_pagerduty.pagerduty.webhook_events import Reference

NOW = datetime(2026, 8, 14, 12, 0, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=1)
OWN = "CHECKOUT"


def ago(days: float = 0, hours: float = 0, minutes: float = 0) -> datetime:
    """Return a moment before the incident began."""
    return BEGAN - timedelta(days=days, hours=hours, minutes=minutes)


def a_service(service_id: str) -> Reference:
    return Reference(service_id, "service_reference", service_id.title())


def a_user(user_id: str) -> Reference:
    return Reference(user_id, "user_reference", user_id.title())


def the_incident(**fields: Any) -> ThisIncident:
    known: dict[str, Any] = {
        "id": "PINCIDENT",
        "title": "High latency on checkout-7",
        "created_at": BEGAN,
        "status": "triggered",
        "service": a_service(OWN),
    }
    return ThisIncident(**(known | fields))


def around_it(**fields: Any) -> AssessmentInput:
    known: dict[str, Any] = {
        "now": NOW,
        "incident": the_incident(),
        "changes_since": NOW - timedelta(days=30),
        "past_since": NOW - timedelta(days=180),
    }
    return AssessmentInput(**(known | fields))


def near(around: AssessmentInput) -> CorrelationWindow:
    service = around.incident.service
    return CorrelationWindow(
        around, build_neighbourhood(service.id, around.dependencies) if service else None
    )


def depends(*edges: tuple[str, str], business: Iterable[str] = (), is_whole: bool = True) -> Dependencies:
    names = {name for edge in edges for name in edge}
    kinds = {name: NodeKind.BUSINESS if name in set(business) else NodeKind.TECHNICAL for name in names}
    nodes = {name: Node(name, kinds[name], name.title()) for name in sorted(names)}
    return Dependencies(nodes, frozenset(edges), is_whole)


def deploys(service_id: str, *moments: datetime, reason: str | None = None) -> tuple[Change, ...]:
    return tuple(
        Change(f"C{service_id}{number}", f"Deploy {service_id}", at, (service_id,), reason=reason)
        for number, at in enumerate(moments)
    )


def past(
    incident_id: str, at: datetime, service_id: str = OWN, by: str | None = None, **fields: Any
) -> PastIncident:
    handled = (ResponderAction(a_user(by), "resolved", at + timedelta(minutes=20)),) if by else ()
    known: dict[str, Any] = {
        "title": "High latency on checkout-3",
        "resolved_at": at + timedelta(minutes=20),
        "responded": handled,
    }
    return PastIncident(incident_id, service_id=service_id, created_at=at, **(known | fields))


def an_open(incident_id: str, service_id: str, at: datetime, status: str = "triggered") -> OpenIncident:
    return OpenIncident(incident_id, f"{service_id} is down", service_id, at, status)


def an_alert(alert_id: str, key: str | None = None) -> Alert:
    return Alert(alert_id, "latency", BEGAN, key=key)


def people(*ids: str, **fields: Any) -> dict[str, Person]:
    return {id_: Person(id_, id_.title(), **fields) for id_ in ids}


def a_placebo(chance: random.Random, services: int = 24, days: int = 30) -> AssessmentInput:
    """A world in which nothing leads to anything: all that happens, happens at its own rate."""
    ids = [f"S{number}" for number in range(services)]
    pairs = [(chance.randrange(services), chance.randrange(services)) for _ in range(2 * services)]
    edges = [(ids[min(pair)], ids[max(pair)]) for pair in pairs if pair[0] != pair[1]]
    now = BEGAN + timedelta(minutes=chance.random() * 60)

    def moments(rate_per_day: float) -> list[datetime]:
        count = sum(chance.random() < rate_per_day / 10 for _ in range(days * 10))
        return [now - timedelta(days=days * chance.random()) for _ in range(count)]

    changes: list[Change] = []
    incidents: list[PastIncident] = []
    for service_id in ids:
        changes += deploys(service_id, *moments(min(8, chance.lognormvariate(-1, 1.2))))
        incidents += [
            past(
                f"P{service_id}{number}",
                at,
                service_id,
                resolved_at=at + timedelta(hours=chance.expovariate(1)),
            )
            for number, at in enumerate(moments(min(3, chance.lognormvariate(-2, 1))))
        ]
    return around_it(
        now=now,
        incident=the_incident(service=a_service(chance.choice(ids[services // 3 :]))),
        dependencies=depends(*edges),
        changes=tuple(changes),
        changes_since=now - timedelta(days=days),
        past=tuple(incidents),
        past_since=now - timedelta(days=days),
    )
