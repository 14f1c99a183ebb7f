"""The analysis of readiness: people who can be on call and can't be paged. Pure.

Who is paged only after the policy has moved on is a finding of the escalation lint (`never_paged_rule`).
"""

from collections import Counter

from calmo_pagerduty.coverage.analysis import account_zone, inputs_of
from calmo_pagerduty.coverage.readiness import (
    ADVICE,
    READINESS_DAYS,
    PersonReadiness,
    PersonState,
    readiness,
)
from calmo_pagerduty.findings.model import (
    AnalysisResult,
    Confidence,
    Entity,
    Evidence,
    Finding,
    FindingSeverity,
    in_order,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName
from calmo_pagerduty.snapshots.on_call import OnCallIndex

ANALYSIS = "readiness"
VERSION = 1
_FOUND = {
    PersonState.NOT_REACHABLE: ("person_not_reachable", FindingSeverity.HIGH, "can't be paged at all"),
    PersonState.EMAIL_ONLY: ("person_email_only", FindingSeverity.MEDIUM, "is notified by e-mail only"),
}
_NEEDED = (SectionName.USERS, SectionName.SCHEDULES, SectionName.POLICIES)


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return who of the people on call in the next 30 days can't be paged at high urgency."""
    people = readiness(snapshot, now)
    index = OnCallIndex(snapshot)
    counts = Counter(person.state for person in people)
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=Span(now, now + READINESS_DAYS * DAY),
        time_zone=account_zone(snapshot).key,
        inputs=inputs_of(
            snapshot,
            {code: _NEEDED for code, _, _ in _FOUND.values()},
            (person.user_id for person in people if person.state is PersonState.UNKNOWN),
        ),
        metrics={"people": len(people), "states": {state.value: counts[state] for state in PersonState}},
        findings=in_order(_finding(index, person) for person in people if person.state in _FOUND),
    )


def _finding(index: OnCallIndex, person: PersonReadiness) -> Finding:
    code, severity, what = _FOUND[person.state]
    user = index.users[person.user_id]
    policy_ids = list(dict.fromkeys(duty.policy_id for duty in person.duties))[:20]
    policies = [index.policies[policy_id] for policy_id in policy_ids]
    return Finding(
        code=code,
        key=person.user_id,
        severity=severity,
        confidence=Confidence.HIGH,
        title=f"{user.name} can be on call and {what} at high urgency",
        entities=(
            Entity("user", user.id, user.name, user.html_url),
            *(Entity("policy", policy.id, policy.name, policy.html_url) for policy in policies),
        ),
        evidence=(
            Evidence(
                "Channels at high urgency: "
                + ", ".join(
                    f"{cell.channel} {cell.state.replace('_', ' ')}"
                    for cell in person.cells
                    if cell.urgency == "high"
                )
                + ".",
                {f"{cell.urgency}_{cell.channel}": cell.state.value for cell in person.cells},
            ),
        ),
        recommendation=f"In the person's PagerDuty profile: {ADVICE[person.state]}.",
        expected_effect="The person is paged on something that wakes.",
        how_to_verify="Run `calmo-pagerduty readiness` on a new snapshot: the person is ready.",
        how_to_undo="Remove the contact method or rule again.",
        about_persons=True,
    )
