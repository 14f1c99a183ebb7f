"""Notification rules that come after the escalation policy has moved on. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from calmo_pagerduty.escalation.entities import level_text, policy_entity, user_entity
from calmo_pagerduty.escalation.path_lint import Ladder
from calmo_pagerduty.findings.model import Confidence, Evidence, Finding, FindingSeverity
from calmo_pagerduty.snapshots.model import Urgency
from calmo_pagerduty.snapshots.notification_rules import first_page_minutes, rules_of
from calmo_pagerduty.snapshots.on_call import OnCallIndex

VERIFY = (
    "Run `calmo-pagerduty escalation simulate` for the service: the person is paged before the level ends."
)
UNDO = "Set the notification rule's former delay again, in the person's profile."


@dataclass(frozen=True, slots=True)
class TooLate:
    """A person on a level that is not the last: which high-urgency rules never fire there."""

    level: int
    user_id: str
    delay_minutes: int
    rule_ids: tuple[str, ...]
    rule_minutes: tuple[int, ...]
    #: No rule fires at all before the policy moves on.
    is_never_paged: bool
    #: After how many minutes the first usable rule would fire; None if there is none.
    first_minutes: int | None


@dataclass(frozen=True, slots=True)
class PersonRules:
    """A person's high-urgency rules: the first usable one's delay, and each rule's delay and id in order."""

    first_minutes: int | None
    rules: tuple[tuple[int, str], ...]


def rules_by_user(index: OnCallIndex) -> dict[str, PersonRules]:
    """Return the rules of everybody whose rules this token may read."""
    return {
        user_id: PersonRules(
            first_page_minutes(user, Urgency.HIGH),
            tuple((reach.rule.delay_minutes, reach.rule.id) for reach in rules_of(user, Urgency.HIGH) or ()),
        )
        for user_id, user in index.users.items()
        if user.notification_rules is not None
    }


def late_rules(rules: Mapping[str, PersonRules], ladder: Ladder) -> tuple[TooLate, ...]:
    """Return the late rules of everybody who is on call in the window, but for the last level.

    The last level's rules fire in the end: after the last pass the incident stays with its people.
    """
    late: list[TooLate] = []
    levels = zip(ladder.policy.rules[:-1], ladder.levels[:-1], strict=True)
    for number, (rule, shifts) in enumerate(levels, 1):
        delay = rule.delay_minutes
        for user_id in sorted({user_id for shift in shifts or () for user_id in shift.user_ids}):
            person = rules.get(user_id)
            if person is None:
                continue
            too_late = [(minutes, rule_id) for minutes, rule_id in person.rules if minutes >= delay]
            never = person.first_minutes is None or person.first_minutes >= delay
            if too_late or never:
                late.append(
                    TooLate(
                        number,
                        user_id,
                        delay,
                        tuple(rule_id for _, rule_id in too_late),
                        tuple(minutes for minutes, _ in too_late),
                        never,
                        person.first_minutes,
                    )
                )
    return tuple(late)


def lint_people(index: OnCallIndex, ladder: Ladder, late_of_ladder: tuple[TooLate, ...]) -> Iterator[Finding]:
    """Return a finding for each person whose rules all come after a level has moved on.

    Somebody without any usable rule isn't reachable at all, which is a finding of readiness.
    """
    by_user: dict[str, list[TooLate]] = {}
    for late in late_of_ladder:
        if late.is_never_paged and late.first_minutes is not None:
            by_user.setdefault(late.user_id, []).append(late)
    for user_id, levels in sorted(by_user.items()):
        yield _never_paged(index, ladder, user_id, levels)


def _never_paged(index: OnCallIndex, ladder: Ladder, user_id: str, levels: list[TooLate]) -> Finding:
    policy, person = ladder.policy, user_entity(index, user_id)
    first, where = levels[0].first_minutes, level_text(late.level for late in levels)
    shortest = min(late.delay_minutes for late in levels)
    moves = "moves on" if len(levels) == 1 else "move on"
    return Finding(
        code="never_paged_rule",
        key=f"{policy.id}:{user_id}",
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        title=f"{policy.name}: {person.name} is on {where} and never paged there",
        entities=(policy_entity(policy), person),
        evidence=(
            Evidence(
                f"{person.name} is first paged after {first} min; {where} {moves} after {shortest} min.",
                {
                    "first_notification_minutes": first,
                    "levels": [
                        {
                            "level": late.level,
                            "escalation_delay_minutes": late.delay_minutes,
                            "notification_rule_ids": list(late.rule_ids),
                        }
                        for late in levels
                    ],
                },
            ),
        ),
        recommendation=f"{person.name} adds a high-urgency notification rule at 0 minutes, or the level's"
        " delay"
        f" becomes longer than {first} min.",
        expected_effect=f"{person.name} is paged on {where} before the incident goes on.",
        how_to_verify=VERIFY,
        how_to_undo=UNDO,
        about_persons=True,
    )
