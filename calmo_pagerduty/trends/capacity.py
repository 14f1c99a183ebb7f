"""Whether the people on call can bear the incidents: per service, team and policy, and until when. Pure.

Source of the limits: B. Beyer et al. (ed.), "Site Reliability Engineering" (2016), chapter 11. Engaged time
is PagerDuty's: from a person's first acknowledgement of an incident until it is resolved, of all persons.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY, HOUR
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    LogKind,
    SectionName,
    SectionState,
    Urgency,
)
from calmo_pagerduty.statistics.counts import Dispersion, dispersion_of, mean_interval
from calmo_pagerduty.statistics.estimators import Interval
from calmo_pagerduty.trends.policy_capacity import PolicyCapacity, policy_capacities
from calmo_pagerduty.trends.series import Observed, account_zone, observed, series_of

#: Incidents, engaged hours and hours on call are those of so many past days.
PAST_DAYS = 28


@dataclass(frozen=True, slots=True)
class Burden:
    """What a service or a team had in `days` days. None is unknown.

    `engaged_hours` rest on `engaged_incidents` incidents with an acknowledgement in the log.
    """

    kind: str
    id: str
    name: str
    days: int
    incidents: int
    high_urgency: int
    per_week: float
    interval: Interval
    dispersion: Dispersion | None
    engaged_hours: float | None
    engaged_incidents: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """An account's capacity at `now` (epoch seconds, UTC)."""

    now: int
    observed: Observed
    window: Span
    services: tuple[Burden, ...]
    teams: tuple[Burden, ...]
    policies: tuple[PolicyCapacity, ...]


def capacity_of(snapshot: AccountSnapshot, now: int) -> Capacity:
    """Return what services, teams and policies bear, beside the limits."""
    known = observed(snapshot, now)
    window = Span(max(known.window.start, known.window.end - PAST_DAYS * DAY), known.window.end)
    engaged = engaged_seconds(snapshot)
    recent = [item for item in snapshot.incidents if window.start <= item.created_at < window.end]
    names = {service.id: service.name for service in snapshot.services}
    teams = {team.id: team.name for team in snapshot.teams}
    return Capacity(
        now,
        known,
        window,
        _burdens(snapshot, "service", names, by_service(recent), window, engaged),
        _burdens(snapshot, "team", teams, by_team(snapshot, recent), window, engaged),
        policy_capacities(snapshot, known, window, by_policy(snapshot, snapshot.incidents), engaged),
    )


def by_service(incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    found: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        found[incident.service_id].append(incident)
    return found


def by_team(snapshot: AccountSnapshot, incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    """Return each team's incidents: those that PagerDuty gave it, else those of its services."""
    of_service = {service.id: service.team_ids for service in snapshot.services}
    found: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        for team_id in dict.fromkeys(incident.team_ids or of_service.get(incident.service_id, ())):
            found[team_id].append(incident)
    return found


def by_policy(snapshot: AccountSnapshot, incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    """Return each policy's incidents of high urgency."""
    of_service = {service.id: service.policy_id for service in snapshot.services}
    found: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        policy_id = incident.policy_id or of_service.get(incident.service_id)
        if policy_id is not None and incident.urgency is Urgency.HIGH:
            found[policy_id].append(incident)
    return found


def engaged_seconds(snapshot: AccountSnapshot) -> dict[str, int] | None:
    """Return the engaged time of every resolved incident with an acknowledgement; None without a log."""
    if snapshot.section(SectionName.LOG_ENTRIES).state is not SectionState.COMPLETE:
        return None
    resolved = {item.id: item.resolved_at for item in snapshot.incidents if item.resolved_at is not None}
    first: dict[tuple[str, str], int] = {}
    for record in snapshot.log_records:
        if record.kind is LogKind.ACKNOWLEDGE and record.agent_id is not None:
            first.setdefault((record.incident_id, record.agent_id), record.at)
    seconds: dict[str, int] = defaultdict(int)
    for (incident_id, _), at in first.items():
        if (end := resolved.get(incident_id)) is not None and end > at:
            seconds[incident_id] += end - at
    return seconds


def _burdens(
    snapshot: AccountSnapshot,
    kind: str,
    names: Mapping[str, str],
    found: Mapping[str, Sequence[Incident]],
    window: Span,
    engaged: Mapping[str, int] | None,
) -> tuple[Burden, ...]:
    zone = account_zone(snapshot)
    burdens = []
    for id, name in names.items():
        incidents = found.get(id, [])
        weeks = max(window.seconds, 1) / (7 * DAY)
        dispersion = dispersion_of(series_of(incidents, window, zone).days)
        total = mean_interval(len(incidents), 1.0 if dispersion is None else dispersion.ratio)
        known = [engaged[item.id] for item in incidents if item.id in engaged] if engaged is not None else []
        burdens.append(
            Burden(
                kind,
                id,
                name,
                round(window.seconds / DAY),
                len(incidents),
                sum(item.urgency is Urgency.HIGH for item in incidents),
                len(incidents) / weeks,
                Interval(total.low / weeks, total.high / weeks),
                dispersion,
                None if engaged is None else sum(known) / HOUR,
                len(known),
            )
        )
    return tuple(sorted(burdens, key=lambda burden: (-burden.incidents, burden.id)))
