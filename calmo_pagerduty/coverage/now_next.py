"""Who is on call now for each service, until when, and who is next. Pure.

It is the first level with somebody, as PagerDuty assigns an incident.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot, EscalationRule, Policy
from calmo_pagerduty.snapshots.on_call import OnCallIndex, Shift


@dataclass(frozen=True, slots=True)
class OnCall:
    """A level with its people from `start` to `end`. No level: nobody is on call on any.

    `end` is None if it does not end within what the snapshot knows.
    """

    level: int | None
    user_ids: tuple[str, ...]
    start: int
    end: int | None
    is_round_robin: bool = False


@dataclass(frozen=True, slots=True)
class NowNext:
    """`now` is None if it is unknown who is on call; `next` is None if nothing changes in what is known."""

    service_id: str
    policy_id: str | None
    now: OnCall | None
    next: OnCall | None


def now_and_next(snapshot: AccountSnapshot, now: int) -> tuple[NowNext, ...]:
    """Return the first level with somebody for every service, now and after the next change."""
    index = OnCallIndex(snapshot)
    timelines = Timelines(index, Span(now, max(now + 1, index.rendered.end)))
    steps = {policy.id: policy_steps(timelines, policy) for policy in snapshot.policies}
    return tuple(
        NowNext(service.id, service.policy_id, *_now_next(steps.get(service.policy_id or "")))
        for service in snapshot.services
    )


def policy_steps(timelines: Timelines, policy: Policy, count: int = 2) -> list[OnCall] | None:
    """Return the policy's next steps from the window's start; None if they are unknown."""
    known = timelines.known
    if not policy.rules:
        return [OnCall(None, (), timelines.window.start, None)]
    if known.seconds <= 0:
        return None
    levels = [_present(timelines, timelines.index.level_shifts(rule, known)) for rule in policy.rules]
    positions = [0] * len(levels)
    steps: list[OnCall] = []
    moment = known.start
    while moment < known.end:
        step, until = _step(levels, positions, policy.rules, moment)
        if step is None:
            return steps or None
        if steps and (steps[-1].level, steps[-1].user_ids) == (step.level, step.user_ids):
            steps[-1] = _ending(steps[-1], until, known)
        elif len(steps) == count:
            break
        else:
            steps.append(_ending(step, until, known))
        moment = until
    return steps


def _step(
    levels: Sequence[Sequence[Shift] | None],
    positions: list[int],
    rules: Sequence[EscalationRule],
    moment: int,
) -> tuple[OnCall | None, int]:
    """Return the first level with somebody at the moment, and until when no level changes."""
    until: int | None = None
    for number, shifts in enumerate(levels):
        if shifts is None:
            return None, moment
        while shifts[positions[number]].end <= moment:
            positions[number] += 1
        shift = shifts[positions[number]]
        until = shift.end if until is None else min(until, shift.end)
        if shift.user_ids:
            return OnCall(number + 1, shift.user_ids, moment, None, rules[number].is_round_robin), until
    assert until is not None
    return OnCall(None, (), moment, None), until


def _present(timelines: Timelines, shifts: Sequence[Shift] | None) -> list[Shift] | None:
    """Return the shifts without people that PagerDuty no longer has."""
    if shifts is None:
        return None
    return [
        shift._replace(user_ids=tuple(id for id in shift.user_ids if not timelines.is_gone(id)))
        for shift in shifts
    ]


def _ending(step: OnCall, until: int, known: Span) -> OnCall:
    end = None if until >= known.end else until
    return OnCall(step.level, step.user_ids, step.start, end, step.is_round_robin)


def _now_next(steps: list[OnCall] | None) -> tuple[OnCall | None, OnCall | None]:
    if not steps:
        return None, None
    return steps[0], steps[1] if len(steps) > 1 else None
