"""Compare PagerDuty's own scores of its service standards with what the snapshot says. Pure.

Source: PagerDuty's REST API, `/standards/scores/{resource_type}`: `minimum_escalation_policy_rule_depth` is
passed by a service whose policy has "2 or more unique levels".
"""

from dataclasses import dataclass

from calmo_pagerduty.snapshots.model import Service, StandardScore
from calmo_pagerduty.snapshots.on_call import OnCallIndex

DEPTH_WORDS = ("escalation", "depth")
MIN_LEVELS = 2


@dataclass(frozen=True, slots=True)
class StandardComparison:
    """PagerDuty's verdict on a service beside ours. `ours` is None if we judge nothing like it."""

    score: StandardScore
    service_id: str
    ours: bool | None
    explanation: str

    @property
    def differs(self) -> bool:
        return self.ours is not None and self.ours is not self.score.passed


def compare_standards(index: OnCallIndex) -> tuple[StandardComparison, ...]:
    """Return each score of a service that is in the snapshot, in order of service and standard."""
    scores = sorted(index.snapshot.standards, key=lambda score: (score.resource_id, score.standard_id))
    return tuple(
        _compare(index, score, index.services[score.resource_id])
        for score in scores
        if score.resource_id in index.services
    )


def _compare(index: OnCallIndex, score: StandardScore, service: Service) -> StandardComparison:
    words = f"{score.standard_id} {score.name}".lower().replace("_", " ")
    if not all(word in words for word in DEPTH_WORDS):
        return StandardComparison(score, service.id, None, "We judge nothing like this standard.")
    policy = index.policies.get(service.policy_id or "")
    if policy is None:
        return StandardComparison(score, service.id, None, "The snapshot doesn't have the service's policy.")
    unique = len({frozenset(rule.targets) for rule in policy.rules if rule.targets})
    ours = unique >= MIN_LEVELS
    levels = f"the policy has {len(policy.rules)} levels, {unique} of them with different targets"
    if ours is score.passed:
        return StandardComparison(score, service.id, ours, f"We agree: {levels}.")
    why = "PagerDuty scores a standard once a day, and targets that are the same people count differently"
    return StandardComparison(score, service.id, ours, f"We differ: {levels}. {why}.")
