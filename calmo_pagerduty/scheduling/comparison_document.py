"""A comparison as a JSON document in names: byte-identical for the same snapshot, scenario and `now`. Pure.

Who is on call when is as public as the schedule. What single persons bear is shown to those who may see it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import HOUR, Band
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.scheduling.away_duty import away_duties
from calmo_pagerduty.scheduling.comparison import (
    Comparison,
    Handover,
    PersonEffect,
    PolicyEffect,
    PolicySide,
    ScheduleChange,
)
from calmo_pagerduty.scheduling.scenario_drafts import scenario_drafts
from calmo_pagerduty.scheduling.scenarios import Scenario
from calmo_pagerduty.snapshots.model import Policy, Target, TargetKind
from calmo_pagerduty.workload.hours import PersonHours
from calmo_pagerduty.workload.report import MaySee

VERSION = 1
#: Handovers that a document lists per schedule; the rest is counted.
MAX_HANDOVERS = 400

DEFINITIONS = {
    "before": "PagerDuty's own rendering; for a clock change, our rendering with a clock that stays",
    "after": "our rendering of changed schedules, which first reproduced PagerDuty's of the past 30 days",
    "gap_hours": "time in which no level of a policy has anybody, within its services' required time",
    "first_level_gap_hours": "level 1 has nobody, a later level has: incidents go there at once",
    "expected_dropped_incidents": "the services' own rates by hour of the week, summed over the gaps",
    "expected_second_level_pages": "incidents of any urgency that level 1 doesn't acknowledge in time, or"
    " that find level 1 empty: expected incidents times the policy's survival curve at the delay",
    "hours": "time on call by any schedule; time on two at once counts once",
    "nights": "nights with at least an hour on call between 22 and 8, in the person's zone",
    "holiday_hours": "on configured public holidays; after the change on the scenario's holidays too",
    "pay": "indicative, by the connection's published rules; None without rules",
}


def comparison_document(comparison: Comparison, scenario: Scenario, now: int, may_see: MaySee) -> JsonObject:
    """Return the whole comparison. Times are ISO 8601 in UTC, hours are decimal, None is unknown."""
    applied = comparison.applied
    names = names_of(comparison)
    seen = [person for person in comparison.people if may_see(person.person.user_id)]
    changed = [effect for effect in seen if effect.before != effect.after or _pay_changes(effect)]
    return {
        "analysis": "what_if",
        "version": VERSION,
        "scenario": scenario.model_dump(mode="json"),
        "scenario_digest": scenario.digest(),
        "connection_id": applied.before.connection_id,
        "snapshot_id": applied.before.id,
        "now": _iso(now),
        "since": _iso(applied.window.start),
        "until": _iso(applied.window.end),
        "schedules": [_schedule(change, names) for change in comparison.schedules],
        "policies": [_policy(effect, names) for effect in comparison.policies],
        "people": [_person(person) for person in changed],
        "people_unchanged": len(seen) - len(changed),
        "people_hidden": len(comparison.people) - len(seen),
        "on_call_while_away": _away(comparison, names, may_see),
        "totals": _totals(comparison, may_see),
        "proved": [_proof(proof.schedule_id, names) for proof in applied.proofs],
        "drafts": scenario_drafts(comparison),
        "notes": [sanitize_text(note, 300) for note in applied.notes],
        "incomplete": [sanitize_text(limit, 300) for limit in comparison.limits],
        "definitions": DEFINITIONS,
    }


def _pay_changes(effect: PersonEffect) -> bool:
    return effect.pay is not None and effect.pay[0] != effect.pay[1]


def names_of(comparison: Comparison) -> dict[str, str]:
    """Return the names of people, schedules and policies by id, without control characters."""
    after = comparison.applied.after
    names = {user.id: user.name for user in after.users}
    names |= {schedule.id: schedule.name for schedule in after.schedules}
    names |= {policy.id: policy.name for policy in after.policies}
    return {item_id: sanitize_text(name, 120) for item_id, name in names.items()}


def hour_rows(comparison: Comparison, may_see: MaySee) -> list[PairRow]:
    """Return each visible person's hours before and after, the most loaded first, for plots."""
    rows = [
        PairRow(person.person.name, _hours(person.before.seconds), _hours(person.after.seconds))
        for person in comparison.people
        if may_see(person.person.user_id)
    ]
    return sorted(rows, key=lambda row: (-(row.after or 0.0), row.name))


def rule_changes(before: Policy, after: Policy, names: Mapping[str, str]) -> list[str]:
    """Return in words how a policy's levels change, a line each, like a plan's diff."""
    lines = []
    for level in range(max(len(before.rules), len(after.rules))):
        old = before.rules[level] if level < len(before.rules) else None
        new = after.rules[level] if level < len(after.rules) else None
        number = level + 1
        if old is None and new is not None:
            lines.append(f"+ level {number}: {_targets(new.targets, names)}, {new.delay_minutes} min")
        elif new is None and old is not None:
            lines.append(f"- level {number}: {_targets(old.targets, names)}, {old.delay_minutes} min")
        elif old is not None and new is not None:
            if old.delay_minutes != new.delay_minutes:
                lines.append(f"~ level {number} delay: {old.delay_minutes} → {new.delay_minutes} min")
            if old.targets != new.targets:
                lines.append(
                    f"~ level {number} targets: {_targets(old.targets, names)}"
                    f" → {_targets(new.targets, names)}"
                )
    if before.num_loops != after.num_loops:
        lines.append(f"~ repeats: {before.num_loops} → {after.num_loops}")
    return lines


def _targets(targets: Sequence[Target], names: Mapping[str, str]) -> str:
    kinds = {TargetKind.USER: "", TargetKind.SCHEDULE: "schedule "}
    return (
        " + ".join(f"{kinds[target.kind]}{names.get(target.id, target.id)}" for target in targets) or "nobody"
    )


def _schedule(change: ScheduleChange, names: Mapping[str, str]) -> JsonObject:
    shown = change.handovers[:MAX_HANDOVERS]
    return {
        "id": change.schedule_id,
        "name": names[change.schedule_id],
        "time_zone": change.time_zone,
        "changes": [_handover(handover, names) for handover in shown],
        "changes_not_shown": len(change.handovers) - len(shown),
        "changed_hours": _hours(sum(handover.end - handover.start for handover in change.handovers)),
        "empty_hours_before": _hours(_empty(change.handovers, lambda handover: handover.before)),
        "empty_hours_after": _hours(_empty(change.handovers, lambda handover: handover.after)),
    }


def _empty(handovers: Sequence[Handover], side: Callable[[Handover], tuple[str, ...]]) -> int:
    return sum(handover.end - handover.start for handover in handovers if not side(handover))


def _handover(handover: Handover, names: Mapping[str, str]) -> JsonObject:
    return {
        "start": _iso(handover.start),
        "end": _iso(handover.end),
        "before": [names.get(user_id, user_id) for user_id in handover.before],
        "after": [names.get(user_id, user_id) for user_id in handover.after],
    }


def _policy(effect: PolicyEffect, names: Mapping[str, str]) -> JsonObject:
    return {
        "id": effect.policy.id,
        "name": names[effect.policy.id],
        "rule_changes": rule_changes(effect.policy, effect.changed_policy, names),
        "before": _policy_side(effect.before),
        "after": _policy_side(effect.after),
    }


def _policy_side(side: PolicySide) -> JsonObject:
    return {
        "gap_hours": _hours(side.gap_seconds),
        "gaps": [_span(gap) for gap in side.gaps[:MAX_HANDOVERS]],
        "first_level_gap_hours": _hours(side.first_level_gap_seconds),
        "expected_dropped_incidents": side.expected_dropped_incidents,
        "expected_second_level_pages": side.expected_second_level_pages,
    }


def _person(effect: PersonEffect) -> JsonObject:
    person = effect.person
    return {
        "id": person.user_id,
        "name": sanitize_text(person.name, 120),
        "time_zone": person.zone.key,
        "before": {**_person_side(effect.before), "pay": None if effect.pay is None else str(effect.pay[0])},
        "after": {**_person_side(effect.after), "pay": None if effect.pay is None else str(effect.pay[1])},
    }


def _person_side(hours: PersonHours) -> JsonObject:
    return {
        "hours": _hours(hours.seconds),
        "sleep_hours": _hours(hours.by_band[Band.SLEEP]),
        "nights": hours.nights,
        "weekend_hours": _hours(hours.weekend_seconds),
        "weekend_days": hours.weekend_days,
        "holiday_hours": _hours(hours.holiday_seconds),
        "double_duty_hours": _hours(hours.double_duty_seconds),
    }


def _away(comparison: Comparison, names: Mapping[str, str], may_see: MaySee) -> list[JsonObject] | None:
    duties = away_duties(comparison.applied)
    if duties is None:
        return None
    return [
        {
            "id": duty.user_id,
            "name": names.get(duty.user_id, duty.user_id),
            "before_hours": _hours(sum(span.seconds for span in duty.before)),
            "after_hours": _hours(sum(span.seconds for span in duty.after)),
            "after": [_span(span) for span in duty.after[:MAX_HANDOVERS]],
        }
        for duty in duties
        if may_see(duty.user_id)
    ]


def _totals(comparison: Comparison, may_see: MaySee) -> JsonObject:
    before, after = comparison.gap_seconds
    dropped = comparison.expected_dropped
    return {
        "gap_hours": {"before": _hours(before), "after": _hours(after)},
        "expected_dropped_incidents": {"before": dropped[0], "after": dropped[1]},
        "max_load": {
            "before": _most_loaded([effect.before for effect in comparison.people], may_see),
            "after": _most_loaded([effect.after for effect in comparison.people], may_see),
        },
        "pay": _total_pay(comparison),
    }


def _total_pay(comparison: Comparison) -> JsonObject | None:
    pays = [effect.pay for effect in comparison.people if effect.pay is not None]
    if comparison.currency is None:
        return None
    before, after = (sum((pay[side] for pay in pays), Decimal(0)) for side in (0, 1))
    return {"currency": comparison.currency, "before": str(before), "after": str(after)}


def _most_loaded(people: Sequence[PersonHours], may_see: MaySee) -> JsonObject | None:
    if not people:
        return None
    most = max(people, key=lambda hours: (hours.seconds, hours.person.user_id))
    name = sanitize_text(most.person.name, 120) if may_see(most.person.user_id) else None
    return {"name": name, "hours": _hours(most.seconds)}


def _proof(schedule_id: str, names: Mapping[str, str]) -> JsonObject:
    return {"id": schedule_id, "name": names.get(schedule_id, schedule_id)}


def _span(span: Span) -> JsonObject:
    return {"start": _iso(span.start), "end": _iso(span.end)}


def _iso(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))


def _hours(seconds: int) -> float:
    return round(seconds / HOUR, 2)
