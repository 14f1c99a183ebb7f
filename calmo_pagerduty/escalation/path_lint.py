"""What is wrong with an escalation policy's levels, over time. Pure.

Source: PagerDuty's documentation, "Escalation Policies": an empty level is skipped at once, and a person
who is on two levels in succession is assigned again instead of somebody else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from calmo_pagerduty.escalation.entities import (
    level_text,
    percent,
    policy_entity,
    seconds_of,
    share,
    target_entities,
    user_entity,
)
from calmo_pagerduty.findings.model import Confidence, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import Policy
from calmo_pagerduty.snapshots.on_call import OnCallIndex, Shift, merge_shifts

#: Above this share of time the same person on two levels in succession is grave.
GRAVE_SHARE = 0.05
VERIFY_LADDER = "Run `calmo-pagerduty escalation lint` after the next snapshot: the finding has gone."
UNDO_POLICY = "Put the policy's former levels back: PagerDuty's audit records keep them."


@dataclass(frozen=True, slots=True)
class Ladder:
    """A policy's levels over the window. A level is None if PagerDuty doesn't tell who is on call there."""

    policy: Policy
    window: Span
    levels: tuple[tuple[Shift, ...] | None, ...]

    @property
    def is_known(self) -> bool:
        return all(level is not None for level in self.levels)

    def known_levels(self) -> tuple[tuple[Shift, ...], ...]:
        return tuple(level for level in self.levels if level is not None)


def ladder_of(index: OnCallIndex, policy: Policy, window: Span) -> Ladder:
    return Ladder(policy, window, tuple(index.level_shifts(rule, window) for rule in policy.rules))


def lint_ladder(index: OnCallIndex, ladder: Ladder) -> Iterator[Finding]:
    """Return the findings of one policy. Levels that are unknown lead to none."""
    if ladder.window.seconds <= 0:
        return  # the snapshot is too old to know anything of that time
    yield from _same_person_twice(index, ladder)
    yield from _always_empty_levels(index, ladder)
    if len(ladder.policy.rules) == 1:
        yield _single_level(ladder.policy)
    elif ladder.is_known:
        yield from _single_person(index, ladder)


def shared_seconds(upper: tuple[Shift, ...], lower: tuple[Shift, ...]) -> dict[str, int]:
    """Return for each person the seconds for which they are on both levels at once."""
    seconds: dict[str, int] = {}
    first = 0
    for shift in upper:
        while first < len(lower) and lower[first].end <= shift.start:
            first += 1
        position = first
        while position < len(lower) and lower[position].start < shift.end:
            other = lower[position]
            overlap = min(shift.end, other.end) - max(shift.start, other.start)
            for user_id in set(shift.user_ids) & set(other.user_ids):
                seconds[user_id] = seconds.get(user_id, 0) + overlap
            position += 1
    return seconds


def alone_seconds(upper: tuple[Shift, ...], lower: tuple[Shift, ...]) -> int:
    """Return the seconds for which both levels have one and the same person, and nobody else."""
    return sum(
        shared_seconds(
            tuple(shift for shift in upper if len(shift.user_ids) == 1),
            tuple(shift for shift in lower if len(shift.user_ids) == 1),
        ).values()
    )


def single_person_seconds(ladder: Ladder) -> tuple[int, tuple[str, ...]]:
    """Return the time for which one person is everybody on call on all levels, and who that is."""
    everyone = merge_shifts(ladder.known_levels(), ladder.window)
    alone = [shift for shift in everyone if len(shift.user_ids) == 1]
    return seconds_of(alone), tuple(sorted({shift.user_ids[0] for shift in alone}))


def _same_person_twice(index: OnCallIndex, ladder: Ladder) -> Iterator[Finding]:
    for number, (upper, lower) in enumerate(zip(ladder.levels, ladder.levels[1:], strict=False), 1):
        if upper is None or lower is None:
            continue
        seconds = shared_seconds(upper, lower)
        if not seconds:
            continue
        longest = share(max(seconds.values()), ladder.window)
        policy, levels = ladder.policy, level_text((number, number + 1))
        people = tuple(user_entity(index, user_id) for user_id in sorted(seconds))
        alone = share(alone_seconds(upper, lower), ladder.window)
        yield Finding(
            code="same_person_on_successive_levels",
            key=f"{policy.id}:{policy.rules[number - 1].id}",
            severity=FindingSeverity.HIGH if longest > GRAVE_SHARE else FindingSeverity.LOW,
            confidence=Confidence.HIGH,
            title=f"{policy.name}: the same person is on {levels}",
            entities=(policy_entity(policy), *people),
            evidence=(
                Evidence(
                    f"In the next {_days(ladder.window)} days"
                    f" {count_text(len(people), 'person', 'people')} on {levels} at once, at most for"
                    f" {percent(longest)} of the time; for {percent(alone)} both levels have this person and"
                    " nobody else.",
                    {
                        "levels": [number, number + 1],
                        "share_by_user": {
                            user_id: share(seconds[user_id], ladder.window) for user_id in sorted(seconds)
                        },
                        "share_without_anybody_else": alone,
                    },
                ),
            ),
            recommendation=f"Put somebody else on level {number + 1}, or shift one of the two rotations"
            " so that"
            " nobody follows themselves.",
            expected_effect=f"An incident that is not acknowledged on level {number} reaches a second"
            " person.",
            how_to_verify=VERIFY_LADDER,
            how_to_undo=UNDO_POLICY,
        )


def _always_empty_levels(index: OnCallIndex, ladder: Ladder) -> Iterator[Finding]:
    """A level that is empty all the time. Gaps of a level that is sometimes staffed are coverage's."""
    for number, (rule, shifts) in enumerate(zip(ladder.policy.rules, ladder.levels, strict=True), 1):
        if shifts is None or any(shift.user_ids for shift in shifts):
            continue
        policy = ladder.policy
        yield Finding(
            code="level_always_empty",
            key=f"{policy.id}:{rule.id}",
            severity=FindingSeverity.MEDIUM,
            confidence=Confidence.HIGH,
            title=f"{policy.name}: nobody is ever on call on level {number}",
            entities=(policy_entity(policy), *target_entities(index, rule)),
            evidence=(
                Evidence(
                    f"Level {number} has nobody in the next {_days(ladder.window)} days. PagerDuty skips"
                    " it at"
                    f" once, so its {rule.delay_minutes} minutes never pass.",
                    {"level": number, "rule_id": rule.id, "delay_minutes": rule.delay_minutes},
                ),
            ),
            recommendation=f"Put people on level {number}, or remove the level.",
            expected_effect="The policy has the levels that it seems to have.",
            how_to_verify=VERIFY_LADDER,
            how_to_undo=UNDO_POLICY,
        )


def _single_level(policy: Policy) -> Finding:
    return Finding(
        code="single_level",
        key=policy.id,
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        title=f"{policy.name} has only one level",
        entities=(policy_entity(policy),),
        evidence=(
            Evidence(
                f"If level 1 does not answer, nobody else is paged; it is repeated {policy.num_loops} times.",
                {"levels": 1, "num_loops": policy.num_loops},
            ),
        ),
        recommendation="Add a second level with other people.",
        expected_effect="A missed page reaches a second person instead of nobody.",
        how_to_verify=VERIFY_LADDER,
        how_to_undo=UNDO_POLICY,
    )


def _single_person(index: OnCallIndex, ladder: Ladder) -> Iterator[Finding]:
    seconds, user_ids = single_person_seconds(ladder)
    alone = share(seconds, ladder.window)
    if seconds == 0:
        return
    policy = ladder.policy
    yield Finding(
        code="single_person_overall",
        key=policy.id,
        severity=FindingSeverity.HIGH if alone > GRAVE_SHARE else FindingSeverity.MEDIUM,
        confidence=Confidence.HIGH,
        title=f"{policy.name}: a single person is everybody on call",
        entities=(policy_entity(policy), *(user_entity(index, user_id) for user_id in user_ids)),
        evidence=(
            Evidence(
                f"For {percent(alone)} of the next {_days(ladder.window)} days one person is on call"
                " alone on all"
                f" {len(policy.rules)} levels together.",
                {"share": alone, "user_ids": list(user_ids), "levels": len(policy.rules)},
            ),
        ),
        recommendation="Put a second person on call on another level for that time.",
        expected_effect="An incident survives that one person does not answer.",
        how_to_verify=VERIFY_LADDER,
        how_to_undo=UNDO_POLICY,
    )


def _days(window: Span) -> int:
    return round(window.seconds / 86_400)
