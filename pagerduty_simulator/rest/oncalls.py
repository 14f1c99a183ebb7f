"""/oncalls: the users on call by escalation policy and level, from both kinds of schedules."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject, policy_reference, user_reference
from pagerduty_simulator.resources import EscalationPolicy, ScheduleTarget, User
from pagerduty_simulator.rest.answers import Answer, invalid
from pagerduty_simulator.rest.calls import Call, a_read, page
from pagerduty_simulator.rest.objects import policy_object, schedule_reference, user_object
from pagerduty_simulator.shifts import Shift

_FURTHEST_AHEAD: Final = timedelta(days=90)
_ONE_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Row:
    """A user on call on a policy's level; without a schedule, permanently."""

    user: User
    policy: EscalationPolicy
    level: int
    schedule: ScheduleTarget | None = None
    start: datetime | None = None
    end: datetime | None = None


def _list(call: Call) -> Answer:
    now = call.now
    since = call.moment("since") or now
    since, until = call.span(now, max(since, now))
    if until > now + _FURTHEST_AHEAD:
        raise invalid("until must not be more than 90 days ahead")
    user_ids = call.set_of("user_ids")
    schedule_ids = call.set_of("schedule_ids")
    rows = [
        row
        for row in _rows(call, since, max(until, since + _ONE_SECOND))
        if (not user_ids or row.user.id in user_ids)
        and (not schedule_ids or (row.schedule and row.schedule.id in schedule_ids))
    ]
    if call.parameter("earliest") == "true":
        rows = _earliest(rows)
    return page(call, "oncalls", rows, lambda row: _object(call, row))


def _rows(call: Call, since: datetime, until: datetime) -> Iterator[_Row]:
    requested = call.set_of("escalation_policy_ids")
    account = call.account
    rendered: dict[str, list[Shift]] = {}
    for policy in account.escalation_policies.values():
        if requested and policy.id not in requested:
            continue
        for level, targets in enumerate(policy.levels, start=1):
            for target in targets:
                if isinstance(target, User):
                    yield _Row(account.users.get(target.id, target), policy, level)
                    continue
                if target.id not in rendered:
                    rendered[target.id] = account.belongings.schedules[target.id].final_shifts(since, until)
                for shift in rendered[target.id]:
                    if shift.user_id is not None:
                        user = account.users[shift.user_id]
                        yield _Row(user, policy, level, target, shift.start, shift.end)


def _earliest(rows: list[_Row]) -> list[_Row]:
    """Return the current or next row of each policy, level and user."""
    first: dict[tuple[str, int, str], _Row] = {}
    for row in rows:
        key = row.policy.id, row.level, row.user.id
        current = first.get(key)
        begins_sooner = current is None or (
            current.start is not None and (row.start is None or row.start < current.start)
        )
        if begins_sooner:
            first[key] = row
    return list(first.values())


def _object(call: Call, row: _Row) -> JsonObject:
    links, schedule = call.links, row.schedule
    full_user, full_policy = call.includes("users"), call.includes("escalation_policies")
    return {
        "escalation_policy": (
            policy_object(call.site, row.policy) if full_policy else policy_reference(links, row.policy)
        ),
        "escalation_level": row.level,
        "schedule": schedule and schedule_reference(links, schedule.id, schedule.name, schedule.kind),
        "user": user_object(call.site, row.user) if full_user else user_reference(links, row.user),
        "start": wire_seconds(row.start) if row.start else None,
        "end": wire_seconds(row.end) if row.end else None,
    }


OPERATIONS: Final = (a_read("listOnCalls", "/oncalls", _list, "oncalls.read"),)
