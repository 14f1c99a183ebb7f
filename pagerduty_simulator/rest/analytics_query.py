"""Parse the body of an analytics request, and select the incidents that it asks for."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pagerduty_simulator.incident_measures import Measures, measured
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.answers import invalid
from pagerduty_simulator.rest.calls import Call, parse_moment

_MAX_SPAN: Final = timedelta(days=366)
_DEFAULT_SPAN: Final = timedelta(days=31)
_ID_FILTERS: Final = ("team_ids", "service_ids", "escalation_policy_ids", "priority_ids", "responder_ids")


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """Filters and time zone of a request; incidents were created in [since, until)."""

    filters: JsonObject
    since: datetime
    until: datetime
    zone: ZoneInfo
    unit: str | None
    order: str

    def local(self, at: datetime | None) -> str | None:
        """Return a time as the analytics do: in the requested zone, without an offset."""
        if at is None:
            return None
        return at.astimezone(self.zone).replace(tzinfo=None).isoformat(timespec="seconds")


def read_query(
    call: Call, begins: str = "created_at_start", ends: str = "created_at_end", *, bound: bool = True
) -> AnalyticsQuery:
    """Parse the body. Raises RestError (400), also for a user's token without a team or service filter."""
    filters = call.body.get("filters") or {}
    if not isinstance(filters, dict):
        raise invalid("filters must be an object")
    if (
        bound
        and call.token.kind in {"user", "oauth"}
        and not (filters.get("team_ids") or filters.get("service_ids"))
    ):
        raise invalid("team_ids or service_ids are required with this token")
    end = parse_moment(filters[ends], ends) if filters.get(ends) else call.now + timedelta(seconds=1)
    begin = parse_moment(filters[begins], begins) if filters.get(begins) else end - _DEFAULT_SPAN
    if not timedelta(0) < end - begin <= _MAX_SPAN:
        raise invalid("The time must be positive and at most one year")
    unit = call.body.get("aggregate_unit")
    if unit not in {None, "day", "week", "month"}:
        raise invalid("aggregate_unit is unknown")
    for name in _ID_FILTERS:
        if not isinstance(filters.get(name, []), list):
            raise invalid(f"{name} must be a list")
    order = call.body.get("order", "desc")
    return AnalyticsQuery(filters, begin, end, _zone(call.body.get("time_zone")), unit, order)


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name or "Etc/UTC")
    except (ZoneInfoNotFoundError, ValueError, TypeError):
        raise invalid("time_zone is unknown") from None


def selected(call: Call, query: AnalyticsQuery) -> list[Measures]:
    """Return the measures of the requested incidents, oldest first."""
    account, order = call.account, call.account.incident_order
    first, last = (
        bisect_left(order, at, key=lambda incident_id: account.incidents[incident_id].created_at)
        for at in (query.since, query.until)
    )
    in_span = (measures_of(call, incident_id) for incident_id in order[first:last])
    return [measures for measures in in_span if _matches(query.filters, measures)]


def measures_of(call: Call, incident_id: str) -> Measures:
    """Return an incident's measures; those of a resolved, unchanged incident are cached."""
    account, cached = call.account, call.site.measures.get(incident_id)
    incident = account.incidents[incident_id]
    if cached is not None and cached.incident is incident and incident.resolved_at is not None:
        return cached
    fresh = call.site.measures[incident_id] = measured(account, incident)
    return fresh


def _matches(filters: JsonObject, measures: Measures) -> bool:
    incident, priority = measures.incident, measures.incident.priority
    has: dict[str, set[str]] = {
        "team_ids": {team.id for team in incident.teams},
        "service_ids": {incident.service.id},
        "escalation_policy_ids": {incident.escalation_policy.id},
        "priority_ids": {priority.id} if priority else set(),
        "priority_names": {priority.name} if priority else set(),
    }
    sets = all(not filters.get(name) or not has[name].isdisjoint(filters[name]) for name in has)
    single = filters.get("urgency") in {None, incident.urgency} and filters.get("major") in {
        None,
        measures.major,
    }
    least = {
        "min_ackowledgements": measures.acknowledgement_count,
        "min_timeout_escalations": measures.timeout_escalations,
        "min_manual_escalations": measures.manual_escalations,
    }
    return sets and single and all(count >= int(filters.get(name) or 0) for name, count in least.items())
