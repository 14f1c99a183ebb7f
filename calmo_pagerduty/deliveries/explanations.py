"""Explains, step by step, why an incident is an issue here, or why not. Pure.

The input holds only what the caller's scopes show, so the explanation reveals nothing about others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from calmo_pagerduty.deliveries.model import DeliveryState, Verdict


class StepState(StrEnum):
    """Whether a step of a delivery has happened."""

    OK = "ok"
    MISSING = "missing"
    #: We can't tell, or not yet.
    UNKNOWN = "unknown"


class StepName(StrEnum):
    """The steps of a delivery, in order."""

    WEBHOOK = "webhook"
    SECRET = "secret"  # noqa: S105 - a step, not a secret
    AUTHENTIC = "authentic"
    DELIVERED = "delivered"
    UNDERSTOOD = "understood"
    ACCEPTED = "accepted"
    FORWARDED = "forwarded"
    WORKED_ON = "worked on"
    APPLIED = "applied"


class WorkflowStatus(StrEnum):
    """The status of an incident's workflow. `UNASKED`: we didn't ask Temporal, or it didn't answer."""

    UNASKED = "unasked"
    NONE = "none"
    RUNNING = "running"
    COMPLETED = "completed"
    #: Terminated, cancelled, failed or timed out.
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ExplanationInput:
    """What the caller's scopes show of one incident and its webhooks."""

    incident_id: str
    #: Number of live webhooks; of these, with a signing secret, and switched off by PagerDuty.
    webhooks: int = 0
    with_secret: int = 0
    switched_off: int = 0
    #: Number of refusals within the last 48 h, by verdict.
    refusals: Mapping[Verdict, int] = field(default_factory=dict)
    #: Number of dead letters that name no incident. The incident's delivery may be among them.
    unreadable: int = 0
    #: Number of the incident's deliveries by state; the latest `seq` by state; a dead letter's reason.
    deliveries: Mapping[DeliveryState, int] = field(default_factory=dict)
    latest: Mapping[DeliveryState, int] = field(default_factory=dict)
    dead_reason: str | None = None
    waiting_for: timedelta = timedelta()
    temporal: bool = True
    #: None if Temporal could not tell.
    workers: int | None = None
    workflow: WorkflowStatus = WorkflowStatus.UNASKED
    workflow_id: str | None = None
    issue_id: str | None = None
    #: Number of the issue's timeline entries.
    entries: int = 0


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    """One step's result. `advice` is one sentence; None if there is nothing to do."""

    name: StepName
    state: StepState
    words: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps up to the first that is missing or unknown, or all steps."""

    steps: tuple[ExplanationStep, ...]

    @property
    def first_missing(self) -> ExplanationStep | None:
        """The first step that has not happened, or of which we can't tell; None if all have."""
        return next((step for step in self.steps if step.state is not StepState.OK), None)


def explain(facts: ExplanationInput) -> Explanation:
    """Check the steps of a delivery in order, up to the first that is missing or unknown. Total."""
    if facts.issue_id is not None:
        return Explanation((_applied(facts),))
    steps: list[ExplanationStep] = []
    for check in _STEP_CHECKS:
        steps.append(check(facts))
        if steps[-1].state is not StepState.OK:
            break
    return Explanation(tuple(steps))


def _webhook(facts: ExplanationInput) -> ExplanationStep:
    if facts.webhooks == 0:
        return _missing(
            StepName.WEBHOOK,
            "there is no webhook",
            "Make one: `calmo-pagerduty webhook create --scope organization:ORG`.",
        )
    return _ok(StepName.WEBHOOK, f"{_count(facts.webhooks, 'webhook')} can take deliveries")


def _secret(facts: ExplanationInput) -> ExplanationStep:
    if facts.with_secret == 0 and not facts.deliveries:
        return _missing(
            StepName.SECRET,
            "no webhook has its signing secret yet, so each delivery is answered 503",
            "Give it the secret that PagerDuty showed: `calmo-pagerduty webhook set-secret WEBHOOK`.",
        )
    return _ok(StepName.SECRET, f"{facts.with_secret} of them have a signing secret")


def _authentic(facts: ExplanationInput) -> ExplanationStep:
    refused = sum(facts.refusals.values())
    if refused and not facts.deliveries:
        kinds = ", ".join(f"{count} {verdict}" for verdict, count in sorted(facts.refusals.items()))
        return _missing(
            StepName.AUTHENTIC,
            f"deliveries of the last two days were refused: {kinds}",
            "Give the webhook the secret that PagerDuty signs with, within 48 h:"
            " `calmo-pagerduty webhook set-secret WEBHOOK`; see `calmo-pagerduty deliveries refusals`.",
        )
    return _ok(StepName.AUTHENTIC, "no signature was refused")


def _delivered(facts: ExplanationInput) -> ExplanationStep:
    if facts.deliveries:
        return _ok(StepName.DELIVERED, f"{_count(sum(facts.deliveries.values()), 'delivery')} came in")
    if facts.unreadable:
        return ExplanationStep(
            StepName.UNDERSTOOD,
            StepState.UNKNOWN,
            f"nothing came in under this id, but {_count(facts.unreadable, 'delivery')} could not be read",
            "Look at them: `calmo-pagerduty deliveries list --state dead_letter`.",
        )
    if facts.switched_off:
        return _missing(
            StepName.DELIVERED,
            "nothing ever came in, and PagerDuty has the subscription switched off",
            "See how to switch it on again, `calmo-pagerduty doctor`; then fetch what was missed,"
            " `calmo-pagerduty reconcile CONNECTION`.",
        )
    return _missing(
        StepName.DELIVERED,
        "nothing ever came in for this incident",
        "See whether the subscription covers its service, `calmo-pagerduty doctor`; with a token, fetch"
        " what was missed: `calmo-pagerduty reconcile CONNECTION`.",
    )


def _understood(facts: ExplanationInput) -> ExplanationStep:
    if _furthest(facts) is DeliveryState.DEAD_LETTER:
        seq = facts.latest.get(DeliveryState.DEAD_LETTER, 0)
        return _missing(
            StepName.UNDERSTOOD,
            f"it could not be understood: {facts.dead_reason or 'no reason was stored'}",
            f"Send it again with what this version understands: `calmo-pagerduty deliveries replay {seq}`.",
        )
    return _ok(StepName.UNDERSTOOD, "it was understood")


def _accepted(facts: ExplanationInput) -> ExplanationStep:
    furthest = _furthest(facts)
    if furthest is DeliveryState.PAUSED:
        seq = facts.latest.get(DeliveryState.PAUSED, 0)
        return _missing(
            StepName.ACCEPTED,
            "the webhook was paused when it came",
            f"Send it now: `calmo-pagerduty deliveries replay {seq}`.",
        )
    if furthest in (DeliveryState.CONFLICT, DeliveryState.RECORDED):
        return _missing(
            StepName.ACCEPTED,
            f"what came is only kept in the log ({furthest})",
            f"See what it was: `calmo-pagerduty deliveries show {facts.latest.get(furthest, 0)}`.",
        )
    return _ok(StepName.ACCEPTED, "it was accepted")


def _forwarded(facts: ExplanationInput) -> ExplanationStep:
    if _furthest(facts) is not DeliveryState.PENDING:
        return _ok(StepName.FORWARDED, "it was sent to its workflow")
    waits = f"it has waited for {facts.waiting_for.total_seconds():.0f} s to be sent to Temporal"
    if not facts.temporal:
        return _missing(
            StepName.FORWARDED,
            f"{waits}, which can't be reached",
            "Start Temporal, or correct TEMPORAL_ADDRESS: nothing is lost, it is sent automatically.",
        )
    return ExplanationStep(
        StepName.FORWARDED,
        StepState.UNKNOWN,
        waits,
        "Ask again in some seconds; if it still waits, see who forwards: `calmo-pagerduty health ingress`.",
    )


def _worked_on(facts: ExplanationInput) -> ExplanationStep:
    if facts.workers == 0:
        return _missing(
            StepName.WORKED_ON,
            "no worker listens to the task queue",
            "Start one: `calmo-pagerduty worker`.",
        )
    if facts.workflow in (WorkflowStatus.ENDED, WorkflowStatus.NONE):
        how = "was ended from outside" if facts.workflow is WorkflowStatus.ENDED else "isn't there"
        states = (DeliveryState.FORWARDED, DeliveryState.APPLIED)
        seq = next((facts.latest[state] for state in states if state in facts.latest), 0)
        return _missing(
            StepName.WORKED_ON,
            f"its workflow {facts.workflow_id} {how}",
            f"It is sent again automatically later, or now: `calmo-pagerduty deliveries replay {seq}`.",
        )
    if facts.workers is None:
        return ExplanationStep(
            StepName.WORKED_ON,
            StepState.UNKNOWN,
            "Temporal can't be asked who works",
            "Start Temporal, or correct TEMPORAL_ADDRESS: `calmo-pagerduty health worker`.",
        )
    return _ok(StepName.WORKED_ON, f"{_count(facts.workers, 'worker')} listen")


def _applied(facts: ExplanationInput) -> ExplanationStep:
    if facts.issue_id is None:
        return ExplanationStep(
            StepName.APPLIED,
            StepState.UNKNOWN,
            f"its workflow {facts.workflow_id} is working on it",
            "Ask again in some seconds; if nothing has changed, look at the workflow in the Temporal UI.",
        )
    left = {
        state: count
        for state, count in facts.deliveries.items()
        if state in (DeliveryState.PAUSED, DeliveryState.DEAD_LETTER, DeliveryState.PENDING)
    }
    words = f"it is the issue {facts.issue_id} with {_count(facts.entries, 'entry')} on its timeline"
    if left:
        kinds = ", ".join(f"{count} {state}" for state, count in sorted(left.items()))
        words += f"; not on it: {kinds}"
    return _ok(StepName.APPLIED, words)


_STEP_CHECKS: tuple[Callable[[ExplanationInput], ExplanationStep], ...] = (
    _webhook, _secret, _authentic, _delivered, _understood, _accepted, _forwarded, _worked_on, _applied,
)  # fmt: skip
#: Any event creates the issue, so the delivery that got furthest shows which step is missing.
_FURTHEST_FIRST = (
    DeliveryState.APPLIED, DeliveryState.FORWARDED, DeliveryState.PENDING, DeliveryState.PAUSED,
    DeliveryState.DEAD_LETTER, DeliveryState.CONFLICT, DeliveryState.RECORDED,
)  # fmt: skip


def _furthest(facts: ExplanationInput) -> DeliveryState | None:
    return next((state for state in _FURTHEST_FIRST if facts.deliveries.get(state)), None)


def _ok(name: StepName, words: str) -> ExplanationStep:
    return ExplanationStep(name, StepState.OK, words)


def _missing(name: StepName, words: str, advice: str) -> ExplanationStep:
    return ExplanationStep(name, StepState.MISSING, words, advice)


def _count(number: int, thing: str) -> str:
    if number == 1:
        return f"{number} {thing}"
    return f"{number} {thing[:-1]}ies" if thing.endswith("y") else f"{number} {thing}s"
