"""Whether a person is on call now, until when, and who is paged next for an incident. Pure.

Times are epoch seconds, UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import EscalationRule, Policy
from calmo_pagerduty.snapshots.on_call import OnCallIndex


@dataclass(frozen=True, slots=True)
class OnDuty:
    """A person's duty on a level of a policy. `end` is None if it does not end within what is known."""

    policy_name: str
    level: int
    start: int
    end: int | None

    def is_now(self, now: int) -> bool:
        return self.start <= now


@dataclass(frozen=True, slots=True)
class NextPage:
    """The next level of an escalation: when it is paged, and whom that reaches."""

    at: int
    level: int
    user_ids: tuple[str, ...]


def duty_of(index: OnCallIndex, user_id: str, now: int) -> OnDuty | None:
    """Return the person's duty now, the lowest level first; else the next one; None if none is known.

    An end of one duty that another one follows at once is no end.
    """
    duties = [
        duty
        for policy in index.snapshot.policies
        for number, rule in enumerate(policy.rules)
        if (duty := _duty_on(index, policy, number + 1, rule, user_id, now)) is not None
    ]
    present = [duty for duty in duties if duty.is_now(now)]
    if present:
        return min(present, key=lambda duty: duty.level)
    return min(duties, key=lambda duty: duty.start, default=None)


def _duty_on(
    index: OnCallIndex, policy: Policy, level: int, rule: EscalationRule, user_id: str, now: int
) -> OnDuty | None:
    window = Span(now, max(now + 1, index.rendered.end))
    shifts = index.level_shifts(rule, window)
    start: int | None = None
    for shift in shifts or ():
        if user_id in shift.user_ids:
            start = shift.start if start is None else start
        elif start is not None:
            return OnDuty(policy.name, level, start, shift.start)
    return None if start is None else OnDuty(policy.name, level, start, None)


def next_page(index: OnCallIndex, policy_id: str, assignees: Iterable[str], since: int) -> NextPage | None:
    """Return who is paged next for a triggered incident that has had these assignees since then.

    None if that is unknown, such as after a reassignment to somebody who is on no level, or if the last
    level has been paged and the policy does not begin again for certain.
    """
    policy, assigned = index.policies.get(policy_id), set(assignees)
    if policy is None or not assigned:
        return None
    for number, rule in enumerate(policy.rules[:-1]):
        people = _people_at(index, rule, since)
        if people is not None and assigned <= people:
            at = since + rule.delay_minutes * 60
            reached = _people_at(index, policy.rules[number + 1], at)
            return None if reached is None else NextPage(at, number + 2, tuple(sorted(reached)))
    return None


def _people_at(index: OnCallIndex, rule: EscalationRule, at: int) -> set[str] | None:
    people: set[str] = set()
    for target in rule.targets:
        present = index.people_at(target, at)
        if present is None:
            return None
        people.update(present)
    return people
