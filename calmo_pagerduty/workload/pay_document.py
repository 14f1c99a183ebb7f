"""The pay and working-time reports as JSON documents, with as much about persons as the reader may see. Pure.

Amounts are texts, exact in the currency's smallest unit.
"""

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.calendars import calendar_of
from calmo_pagerduty.workload.document import decimal_hours, incomplete_sections, iso, moment_text
from calmo_pagerduty.workload.interruptions import by_person, interruptions, known_window
from calmo_pagerduty.workload.pay import INDICATIVE_TEXT, PersonPay, pay_report
from calmo_pagerduty.workload.people import OnCallTimes, people_of
from calmo_pagerduty.workload.report import MaySee
from calmo_pagerduty.workload.rules import PayRules, WorkloadSettings
from calmo_pagerduty.workload.working_time import LEGAL_TEXT, PersonWorkingTime, check_working_time

#: Weeks of the working-time check: what a snapshot has of the past, and as many ahead as the template needs.
PAST_WEEKS = 5


def pay_document(
    snapshot: AccountSnapshot,
    now: int,
    window: Span,
    settings: WorkloadSettings,
    rules: PayRules,
    may_see: MaySee,
) -> JsonObject:
    """Return what people on call within a window are paid. The window is cut to what was rendered."""
    times = OnCallTimes(snapshot, window)
    people = people_of(snapshot, set(times.by_person))
    report = pay_report(times, people, rules, calendar_of(settings.holidays))
    seen = [pay for pay in report.people if may_see(pay.person.user_id)]
    return {
        **_head(snapshot, now, times.window, window),
        "currency": report.currency,
        "people": [_person_pay(pay) for pay in seen],
        "people_hidden": len(report.people) - len(seen),
        # A sum that hides somebody would tell of them together with the others' pay.
        "amount": str(report.amount) if len(seen) == len(report.people) else None,
        "indicative": INDICATIVE_TEXT,
    }


def working_time_document(
    snapshot: AccountSnapshot, now: int, window: Span, settings: WorkloadSettings, may_see: MaySee
) -> JsonObject:
    """Return the working-time check of a window. Interruptions are those of the past only."""
    rules = settings.working_time
    times = OnCallTimes(snapshot, window)
    people = people_of(snapshot, set(times.by_person))
    known = known_window(snapshot, times.window)
    interrupted = None if known is None else by_person(interruptions(snapshot, known))
    checked = check_working_time(times, people, interrupted, rules, calendar_of(settings.holidays))
    seen = [item for item in checked if may_see(item.person.user_id)]
    document = _head(snapshot, now, times.window, window)
    if interrupted is None and not rules.stand_by_is_work:
        document["incomplete"].append("log entries are unknown, and so are call-outs")
    return {
        **document,
        "template": rules.name,
        "stand_by_is_work": rules.stand_by_is_work,
        "people": [_person_time(item) for item in seen],
        "people_hidden": len(checked) - len(seen),
        "indicative": LEGAL_TEXT,
    }


def default_window(now: int, settings: WorkloadSettings) -> Span:
    """Return the window of a working-time check: five weeks back, and the template's weeks in all."""
    weeks = settings.working_time.average_over_weeks
    return Span(now - PAST_WEEKS * 7 * DAY, now + max(1, weeks + 1 - PAST_WEEKS) * 7 * DAY)


def _head(snapshot: AccountSnapshot, now: int, found: Span, asked: Span) -> JsonObject:
    notes = incomplete_sections(snapshot)
    if found != asked:
        notes.append(f"the snapshot knows {moment_text(found.start)} to {moment_text(found.end)} only")
    return {
        "connection_id": snapshot.connection_id,
        "snapshot_id": snapshot.id,
        "now": iso(now),
        "since": iso(found.start),
        "until": iso(found.end),
        "incomplete": notes,
    }


def _person_pay(pay: PersonPay) -> JsonObject:
    return {
        "id": pay.person.user_id,
        "name": sanitize_text(pay.person.name, 120),
        "hours": decimal_hours(pay.seconds),
        "seconds": pay.seconds,
        "amount": str(pay.amount),
        "lines": [
            {
                "rule": line.rule,
                "rate": str(line.rate),
                "hours": decimal_hours(line.seconds),
                "seconds": line.seconds,
                "amount": str(line.amount),
            }
            for line in pay.lines
        ],
    }


def _person_time(item: PersonWorkingTime) -> JsonObject:
    return {
        "id": item.person.user_id,
        "name": sanitize_text(item.person.name, 120),
        "average_hours": None if item.average_hours is None else round(item.average_hours, 2),
        "weeks": item.weeks,
        "is_average_conclusive": item.is_average_conclusive,
        "breaches": [
            {
                "limit": str(breach.limit),
                "since": iso(breach.span.start),
                "until": iso(breach.span.end),
                "found": round(breach.found, 2),
                "required": breach.required,
            }
            for breach in item.breaches
        ],
    }
