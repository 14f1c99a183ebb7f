"""Settings of services that let incidents rot, and policies that nothing uses. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from calmo_pagerduty.escalation.entities import MAX_ENTITIES, policy_entity, service_entity
from calmo_pagerduty.escalation.log_lint import PastIncident
from calmo_pagerduty.findings.model import Confidence, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    LogKind,
    SectionName,
    SectionState,
    Service,
)
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.statistics.survival import Duration, SurvivalCurve, kaplan_meier

DAY = 86_400
#: With fewer incidents that people resolved, a service's times to resolve say nothing.
MIN_RESOLVED = 20
#: The share of incidents that an automatic resolution may hit before it counts as too early.
LATE_SHARE = 0.05
VERIFY = "Look at the service's settings in PagerDuty, and run `calmo-pagerduty escalation lint` again."


@dataclass(frozen=True, slots=True)
class Resolution:
    """How long a service's incidents stay open. Automatic resolutions and open incidents are censored."""

    service: Service
    curve: SurvivalCurve
    #: The 95th percentile in seconds; None if more than 5 % stay open longer than we watched.
    p95_seconds: float | None


def lint_services(index: OnCallIndex, past: tuple[PastIncident, ...], now: int) -> Iterator[Finding]:
    yield from _unused_policies(index)
    yield from _acknowledged_and_left(index, past, now)
    for resolution in resolutions(index.snapshot, now):
        yield from _resolved_too_early(resolution)


def resolutions(snapshot: AccountSnapshot, now: int) -> tuple[Resolution, ...]:
    """Return the times to resolve of each service with enough of them, in order of the services' ids."""
    by_service: dict[str, list[Duration]] = {}
    for incident in snapshot.incidents:
        end = incident.resolved_at if incident.resolved_at is not None else now
        by_person = incident.resolved_at is not None and incident.is_auto_resolved is not True
        duration = Duration(max(0, end - incident.created_at), by_person)
        by_service.setdefault(incident.service_id, []).append(duration)
    found = []
    for service in sorted(snapshot.services, key=lambda service: service.id):
        curve = kaplan_meier(by_service.get(service.id, ()))
        if curve.events >= MIN_RESOLVED:
            found.append(Resolution(service, curve, curve.quantile(0.95)))
    return tuple(found)


def _unused_policies(index: OnCallIndex) -> Iterator[Finding]:
    section = index.snapshot.section(SectionName.SERVICES)
    if section.state is not SectionState.COMPLETE:
        return
    used = {service.policy_id for service in index.snapshot.services}
    for policy in sorted(index.snapshot.policies, key=lambda policy: policy.id):
        if policy.id not in used:
            yield Finding(
                code="policy_without_service",
                key=policy.id,
                severity=FindingSeverity.INFO,
                confidence=Confidence.HIGH,
                title=f"No service uses the escalation policy {policy.name}",
                entities=(policy_entity(policy),),
                evidence=(Evidence(f"None of {len(index.snapshot.services)} services names it."),),
                recommendation="Delete it, or point the services that it was made for at it.",
                expected_effect="People aren't on call for a policy that no incident reaches.",
                how_to_verify="The policy's page in PagerDuty lists its services.",
                how_to_undo="Create the policy again; its levels are in the stored snapshots.",
            )


def _acknowledged_and_left(index: OnCallIndex, past: tuple[PastIncident, ...], now: int) -> Iterator[Finding]:
    """Services without an acknowledgement timeout whose acknowledged incidents were left for over a day."""
    left: dict[str, list[Incident]] = {}
    for item in past:
        service = index.services.get(item.incident.service_id)
        if service is None or service.acknowledgement_timeout is not None:
            continue
        if item.incident.resolved_at is None and _last_touched(item) is not None:
            touched = _last_touched(item)
            if touched is not None and now - touched > DAY:
                left.setdefault(service.id, []).append(item.incident)
    for service_id, incidents in sorted(left.items()):
        service = index.services[service_id]
        yield Finding(
            code="acknowledged_and_left",
            key=service_id,
            severity=FindingSeverity.MEDIUM,
            confidence=Confidence.HIGH,
            title=f"{service.name}: acknowledged incidents stay open and nobody is reminded",
            entities=(service_entity(service),),
            evidence=(
                Evidence(
                    f"{len(incidents)} acknowledged incidents have had no log entry for more than a day,"
                    " and the"
                    " service has no acknowledgement timeout.",
                    {
                        "incident_ids": sorted(incident.id for incident in incidents)[:MAX_ENTITIES],
                        "count": len(incidents),
                        "acknowledgement_timeout": None,
                    },
                ),
            ),
            recommendation="Set an acknowledgement timeout, such as 4 hours; PagerDuty then pages again.",
            expected_effect="A forgotten incident comes back to the people on call.",
            how_to_verify=VERIFY,
            how_to_undo="Remove the acknowledgement timeout.",
        )


def _last_touched(item: PastIncident) -> int | None:
    """Return when something last happened to an incident that is acknowledged; None if it isn't."""
    acknowledged = False
    for record in item.records:
        if record.kind is LogKind.ACKNOWLEDGE:
            acknowledged = True
        elif record.kind in {LogKind.UNACKNOWLEDGE, LogKind.ESCALATE, LogKind.RESOLVE}:
            acknowledged = False
    return item.records[-1].at if acknowledged else None


def _resolved_too_early(resolution: Resolution) -> Iterator[Finding]:
    service, timeout = resolution.service, resolution.service.auto_resolve_timeout
    if timeout is None or not resolution.curve.is_known_at(timeout):
        return
    interval = resolution.curve.interval_at(timeout)
    # Only if even the lower end of the interval is too high: a few slow incidents prove nothing.
    if interval is None or interval.low <= LATE_SHARE:
        return
    open_then = resolution.curve.at(timeout)
    yield Finding(
        code="auto_resolve_too_early",
        key=service.id,
        severity=FindingSeverity.MEDIUM,
        confidence=Confidence.MEDIUM,
        title=f"{service.name}: incidents are resolved automatically while people still work on them",
        entities=(service_entity(service),),
        evidence=(
            Evidence(
                f"After {timeout // 60} min, when PagerDuty resolves them, {open_then:.0%} are still open"
                f" (95 % interval {interval.low:.0%} to {interval.high:.0%}, n = {resolution.curve.count}).",
                {
                    "auto_resolve_timeout": timeout,
                    "open_share": round(open_then, 4),
                    "interval": [round(interval.low, 4), round(interval.high, 4)],
                    "n": resolution.curve.count,
                    "resolved_by_people": resolution.curve.events,
                    "p95_seconds_to_resolve": resolution.p95_seconds,
                },
            ),
        ),
        recommendation="Set the automatic resolution to more than the 95th percentile of the time to"
        " resolve.",
        expected_effect="An incident that people still work on stays open.",
        how_to_verify=VERIFY,
        how_to_undo=f"Set the automatic resolution to {timeout // 60} min again.",
    )


def window_of(snapshot: AccountSnapshot, now: int, days: int) -> Span:
    """Return the next `days` days, as far as schedules are rendered."""
    start = min(max(now, snapshot.rendered_since), snapshot.rendered_until)
    return Span(start, min(start + days * DAY, snapshot.rendered_until))
