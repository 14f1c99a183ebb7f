"""Why a page would not come: a checklist for each service. Pure.

Source: PagerDuty's support page "Why incidents fail to trigger": service disabled, maintenance, low urgency,
nobody on call. Event rules and e-mail filters are not in a snapshot: they stay unknown, and are said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.coverage.now_next import NowNext, now_and_next
from calmo_pagerduty.coverage.readiness import PersonReadiness, PersonState, readiness
from calmo_pagerduty.coverage.support_time import support_spans
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    SectionName,
    SectionState,
    Service,
    Urgency,
    UrgencyKind,
)


class Check(StrEnum):
    ENABLED = "enabled"
    NO_MAINTENANCE = "no_maintenance"
    HIGH_URGENCY = "high_urgency"
    SOMEBODY_ON_CALL = "somebody_on_call"
    REACHABLE = "reachable"
    NOT_PAUSED = "not_paused"
    NOT_SUPPRESSED = "not_suppressed"


class Verdict(StrEnum):
    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the checklist. `until`: when the problem ends by itself, if that is known."""

    check: Check
    verdict: Verdict
    text: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class ServiceChecklist:
    service_id: str
    checks: tuple[CheckResult, ...]

    @property
    def would_page(self) -> bool | None:
        """Whether an incident would page somebody; None if something that matters is unknown.

        Event rules are always unknown, and left aside.
        """
        verdicts = {check.verdict for check in self.checks if check.check is not Check.NOT_SUPPRESSED}
        if Verdict.PROBLEM in verdicts:
            return False
        return None if Verdict.UNKNOWN in verdicts else True


def checklists(snapshot: AccountSnapshot, now: int) -> tuple[ServiceChecklist, ...]:
    """Return the checklist of every service for an incident that began now."""
    on_call = {state.service_id: state for state in now_and_next(snapshot, now)}
    people = {person.user_id: person for person in readiness(snapshot, now)}
    return tuple(
        ServiceChecklist(service.id, tuple(_checks(snapshot, service, on_call[service.id], people, now)))
        for service in snapshot.services
    )


def _checks(
    snapshot: AccountSnapshot,
    service: Service,
    on_call: NowNext,
    people: Mapping[str, PersonReadiness],
    now: int,
) -> Iterator[CheckResult]:
    if service.status == "disabled":
        yield CheckResult(Check.ENABLED, Verdict.PROBLEM, "the service is disabled: it opens no incident")
    else:
        yield CheckResult(Check.ENABLED, Verdict.OK, "the service is enabled")
    yield _maintenance(snapshot, service, now)
    yield _urgency(service, now)
    yield _somebody(on_call)
    yield _reachable(on_call, people)
    if service.auto_pause_seconds:
        yield CheckResult(
            Check.NOT_PAUSED,
            Verdict.PROBLEM,
            f"transient alerts are paused for {service.auto_pause_seconds} s before they notify",
        )
    yield CheckResult(
        Check.NOT_SUPPRESSED,
        Verdict.UNKNOWN,
        "event rules and e-mail filters are not read: they may suppress",
    )


def _maintenance(snapshot: AccountSnapshot, service: Service, now: int) -> CheckResult:
    windows = [w for w in snapshot.maintenance if service.id in w.service_ids and w.start <= now < w.end]
    if windows:
        end = max(window.end for window in windows)
        text = "the service is in maintenance: it opens no incident"
        return CheckResult(Check.NO_MAINTENANCE, Verdict.PROBLEM, text, end)
    if not any(
        section.name is SectionName.MAINTENANCE and section.state is SectionState.COMPLETE
        for section in snapshot.sections
    ):
        return CheckResult(Check.NO_MAINTENANCE, Verdict.UNKNOWN, "maintenance windows could not all be read")
    return CheckResult(Check.NO_MAINTENANCE, Verdict.OK, "there is no maintenance now")


def _urgency(service: Service, now: int) -> CheckResult:
    rule, hours = service.urgency, service.support_hours
    if rule is None:
        return CheckResult(Check.HIGH_URGENCY, Verdict.UNKNOWN, "the urgency rule is unknown")
    urgency = rule.during
    where = ""
    if rule.kind is UrgencyKind.USE_SUPPORT_HOURS and hours is not None:
        within = support_spans(hours, Span(now, now + 1))
        if within is None:
            return CheckResult(
                Check.HIGH_URGENCY, Verdict.UNKNOWN, "the zone of its support hours is unknown"
            )
        urgency = rule.during if within else rule.outside
        where = " within support hours" if within else " outside support hours"
    if urgency is None:
        return CheckResult(Check.HIGH_URGENCY, Verdict.UNKNOWN, f"the alert's severity decides{where}")
    if urgency is Urgency.LOW:
        text = f"urgency is low{where}: low-urgency rules apply, and it does not escalate"
        return CheckResult(Check.HIGH_URGENCY, Verdict.PROBLEM, text)
    return CheckResult(Check.HIGH_URGENCY, Verdict.OK, f"urgency is high{where}")


def _somebody(on_call: NowNext) -> CheckResult:
    if on_call.now is None:
        return CheckResult(Check.SOMEBODY_ON_CALL, Verdict.UNKNOWN, "who is on call is unknown")
    if on_call.now.level is None:
        return CheckResult(
            Check.SOMEBODY_ON_CALL,
            Verdict.PROBLEM,
            "nobody is on call on any level: the incident would be dropped",
            on_call.now.end,
        )
    return CheckResult(
        Check.SOMEBODY_ON_CALL, Verdict.OK, f"somebody is on call on level {on_call.now.level}"
    )


def _reachable(on_call: NowNext, people: Mapping[str, PersonReadiness]) -> CheckResult:
    """Judge the people of the first level with somebody."""
    ids = on_call.now.user_ids if on_call.now is not None else ()
    states = {people[user_id].state for user_id in ids if user_id in people}
    if PersonState.READY in states:
        return CheckResult(Check.REACHABLE, Verdict.OK, "somebody on call can be reached")
    if PersonState.UNKNOWN in states or len(states) == 0:
        return CheckResult(
            Check.REACHABLE, Verdict.UNKNOWN, "it is unknown whether somebody on call can be reached"
        )
    return CheckResult(
        Check.REACHABLE, Verdict.PROBLEM, "nobody on call has a usable push, phone or SMS rule in time"
    )
