"""The workload report as a JSON document, with as much about persons as its reader may see. Pure.

All hours are decimal hours, times are ISO 8601 in UTC. None is unknown, never zero.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import median

from calmo_pagerduty.kernel.instants import format_instant, format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import HOUR, Band
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionState, Team
from calmo_pagerduty.statistics.fairness import gini, jain
from calmo_pagerduty.workload.hours import PersonHours
from calmo_pagerduty.workload.limits import (
    MAX_INCIDENTS_PER_SHIFT,
    MAX_SHARE_ON_CALL,
    PolicyLimits,
    share_on_call,
)
from calmo_pagerduty.workload.pages import PagesJudgement, PersonPages, SchedulePages
from calmo_pagerduty.workload.people import Person
from calmo_pagerduty.workload.pools import Pool, Share
from calmo_pagerduty.workload.report import MaySee, Period, WorkloadReport

#: A group smaller than this isn't broken down: its figures would tell of persons.
MIN_GROUP = 3
TOO_FEW_TEXT = f"fewer than {MIN_GROUP} people: figures would tell of persons"

DEFINITIONS = {
    "hours": "time on call by any schedule; time on two at once counts once and is double duty as well",
    "bands": "in the person's zone: business Mon-Fri 08-18, sleep 22-08 every day, off the rest",
    "nights": "nights with at least an hour of sleep time on call",
    "interruptions": "push, SMS, phone or WhatsApp notifications; several within 60 s of the first are one",
    "target": "a share of the schedule's hours, in proportion to membership in its layers or rotations",
    "above_target": "over 1.25 times the target, and by a turn or more",
    "luck_band": "where time on call alone puts a count in 95 of 100 cases; pages of one burst fall together",
    "p_value": "the chance of so uneven a share if only time on call decided: twice the smaller of two tests,"
    " of the group's Gini coefficient and of the unluckiest person (Holm)",
    "debt": "hours above the target, less those below, since the ledger began",
    "limits": "Google's SRE book, chapter 11: 25 % of the time on call, 2 incidents per 12 h",
}


def workload_document(report: WorkloadReport, may_see: MaySee) -> JsonObject:
    """Return the report. Persons whom the reader may not see are part of teams and schedules only."""
    snapshot = report.snapshot
    return {
        "connection_id": snapshot.connection_id,
        "snapshot_id": snapshot.id,
        "now": iso(report.now),
        "past": _period(report, report.past, may_see),
        "forward": _period(report, report.forward, may_see),
        "policies": [_policy(limits) for limits in report.policies],
        "debt": _debt(report, may_see),
        "incomplete": incomplete(report),
        "definitions": DEFINITIONS,
    }


def incomplete_sections(snapshot: AccountSnapshot) -> list[str]:
    """Return which sections of the snapshot are not complete, and why."""
    return [
        f"{section.name}: {section.state.replace('_', ' ')}{f', {section.reason}' if section.reason else ''}"
        for section in snapshot.sections
        if section.state is not SectionState.COMPLETE
    ]


def incomplete(report: WorkloadReport) -> list[str]:
    """Return what is missing, in words."""
    notes = incomplete_sections(report.snapshot)
    for name, period in (("past", report.past), ("planned time", report.forward)):
        if not period.window.seconds:
            notes.append(f"the snapshot was rendered for another time: nothing is known of the {name}")
    if report.unrendered:
        notes.append(f"{len(report.unrendered)} schedules were not rendered; their hours are unknown")
    unknown = sum(not hours.person.is_zone_known for hours in report.forward.people)
    if unknown:
        notes.append(f"{unknown} people have no known time zone; UTC stands in for it")
    if report.past.pages_window is None:
        notes.append("log entries are unknown, and so are interruptions")
    elif report.past.pages_window != report.past.window:
        notes.append(f"interruptions are known from {moment_text(report.past.pages_window.start)} on only")
    return notes


def person_row(hours: PersonHours, window: Span) -> JsonObject:
    """Return a person's figures."""
    share = share_on_call(hours.seconds, window)
    return {
        **_person(hours.person),
        "time_zone": hours.person.zone.key,
        "is_time_zone_known": hours.person.is_zone_known,
        "hours": decimal_hours(hours.seconds),
        "double_duty_hours": decimal_hours(hours.double_duty_seconds),
        **{f"{band}_hours": decimal_hours(hours.by_band[band]) for band in Band},
        "nights": hours.nights,
        "weekend_hours": decimal_hours(hours.weekend_seconds),
        "weekend_days": hours.weekend_days,
        "holiday_hours": decimal_hours(hours.holiday_seconds),
        "holidays": list(hours.holidays),
        "interruptions": hours.interruptions,
        "sleep_interruptions": hours.sleep_interruptions,
        "share_on_call": None if share is None else round(share, 4),
        "is_over_a_quarter": None if share is None else share > MAX_SHARE_ON_CALL + 1e-9,
    }


def iso(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))


def moment_text(at: int) -> str:
    """Return a moment (epoch seconds) for a note that people read."""
    return format_instant(datetime.fromtimestamp(at, UTC))


def decimal_hours(seconds: float) -> float:
    return round(seconds / HOUR, 2)


def _period(report: WorkloadReport, period: Period, may_see: MaySee) -> JsonObject:
    seen = [hours for hours in period.people if may_see(hours.person.user_id)]
    pages = {item.schedule_id: item for item in period.pages}
    return {
        "since": iso(period.window.start),
        "until": iso(period.window.end),
        "people": [person_row(hours, period.window) for hours in seen],
        "people_hidden": len(period.people) - len(seen),
        "teams": _teams(report.snapshot.teams, period.people),
        "schedules": [_pool(pool, pages.get(pool.schedule.id), may_see) for pool in period.pools],
        "other_interruptions": period.other_interruptions,
    }


def _teams(teams: Sequence[Team], people: Sequence[PersonHours]) -> list[JsonObject]:
    everybody: JsonObject = {"id": None, "name": "everybody", **_group(people)}
    rows = [everybody]
    for team in teams:
        members = [hours for hours in people if team.id in hours.person.team_ids]
        if members:
            rows.append({"id": team.id, "name": sanitize_text(team.name, 120), **_group(members)})
    return rows


def _group(people: Sequence[PersonHours]) -> JsonObject:
    """Return sums and spreads of a group; nothing but the number of a small one."""
    if len(people) < MIN_GROUP:
        return {"people": len(people), "hidden": TOO_FEW_TEXT}
    hours = [person.seconds for person in people]
    return {
        "people": len(people),
        "hours": decimal_hours(sum(hours)),
        **_spread("hours", [seconds / HOUR for seconds in hours]),
        **_spread("nights", [person.nights for person in people]),
        **_spread("weekend_days", [person.weekend_days for person in people]),
        "sleep_hours": decimal_hours(sum(person.by_band[Band.SLEEP] for person in people)),
        "interruptions": _sum(person.interruptions for person in people),
        "sleep_interruptions": _sum(person.sleep_interruptions for person in people),
    }


def _spread(name: str, values: Sequence[float]) -> JsonObject:
    return {
        f"{name}_median": round(median(values), 2),
        f"{name}_max": round(max(values), 2),
    }


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(value or 0 for value in known)


def _pool(pool: Pool, pages: SchedulePages | None, may_see: MaySee) -> JsonObject:
    row: JsonObject = {
        "id": pool.schedule.id,
        "name": sanitize_text(pool.schedule.name, 120),
        "html_url": pool.schedule.html_url,
        "people": len(pool.shares),
        "hours": decimal_hours(pool.seconds),
        "shares": [_share(share) for share in pool.shares if may_see(share.person.user_id)],
        "guests": [
            {**_person(person), "hours": decimal_hours(seconds)}
            for person, seconds in pool.guests
            if may_see(person.user_id)
        ],
    }
    if len(pool.shares) < MIN_GROUP:
        return row | {"hidden": TOO_FEW_TEXT, "pages": None, "sleep_pages": None}
    ratios = [share.seconds / share.target_seconds for share in pool.shares if share.target_seconds]
    return row | {
        "above_target": sum(share.is_above_target for share in pool.shares),
        "above_sleep_target": sum(share.is_above_sleep_target for share in pool.shares),
        "largest_ratio": round(max(ratios), 3) if ratios else None,
        "gini": _rounded(gini([share.seconds for share in pool.shares])),
        "jain": _rounded(jain([share.seconds for share in pool.shares])),
        "pages": None if pages is None else _pages(pages.all_hours, may_see),
        "sleep_pages": None if pages is None else _pages(pages.sleep_hours, may_see),
    }


def _share(share: Share) -> JsonObject:
    return {
        **_person(share.person),
        "hours": decimal_hours(share.seconds),
        "target_hours": decimal_hours(share.target_seconds),
        "turn_hours": decimal_hours(share.turn_seconds),
        **{f"{band}_hours": decimal_hours(share.by_band[band]) for band in Band},
        "target_sleep_hours": decimal_hours(share.sleep_target_seconds),
        "is_above_target": share.is_above_target,
        "is_above_at_all_weights": share.is_above_at_all_weights,
        "is_above_sleep_target": share.is_above_sleep_target,
    }


def _pages(judgement: PagesJudgement, may_see: MaySee) -> JsonObject:
    return {
        "pages": judgement.pages,
        "bursts": judgement.bursts,
        "burst_seconds": judgement.burst_seconds,
        "gini": _rounded(judgement.gini),
        "p_value": _rounded(judgement.p_value, 6),
        "insufficient": judgement.insufficient,
        "people": [_person_pages(pages) for pages in judgement.people if may_see(pages.person.user_id)],
    }


def _person_pages(pages: PersonPages) -> JsonObject:
    return {
        **_person(pages.person),
        "pages": pages.pages,
        "expected": round(pages.expected, 2),
        "low": pages.low,
        "high": pages.high,
        "p_value": round(pages.p_value, 6),
    }


def _policy(limits: PolicyLimits) -> JsonObject:
    return {
        "id": limits.policy.id,
        "name": sanitize_text(limits.policy.name, 120),
        "levels": limits.levels,
        "people": limits.people,
        "people_needed": limits.min_people,
        "incidents": limits.incidents,
        "incidents_per_shift": _rounded(limits.incidents_per_shift, 3),
        "low": _rounded(limits.low, 3),
        "high": _rounded(limits.high, 3),
        "limit": MAX_INCIDENTS_PER_SHIFT,
        "is_over_limit": None if limits.incidents is None else limits.has_too_many_incidents,
    }


def _debt(report: WorkloadReport, may_see: MaySee) -> JsonObject:
    names = {hours.person.user_id: hours.person for hours in report.forward.people}
    return {
        "since": iso(report.ledger.since),
        "until": iso(report.ledger.until),
        "balances": [
            {**_person(names[user_id]), "schedule_id": schedule_id, "hours": decimal_hours(seconds)}
            for (schedule_id, user_id), seconds in report.ledger.balances.items()
            if user_id in names and may_see(user_id)
        ],
    }


def _person(person: Person) -> JsonObject:
    return {"id": person.user_id, "name": sanitize_text(person.name, 120)}


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
