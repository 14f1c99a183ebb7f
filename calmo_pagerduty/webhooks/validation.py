"""Judges a webhook's set-up by the deliveries that came since its secret was set. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.deliveries.model import SignatureVerdict, Verdict


class ValidationOutcome(StrEnum):
    """The validation wizard's result."""

    PROVEN = "proven"
    NO_SECRET = "no_secret"  # noqa: S105 - a finding, not a secret
    NOTHING_YET = "nothing_yet"
    OLD_SECRET = "old_secret"  # noqa: S105 - a finding, not a secret
    OTHER_SECRET = "other_secret"  # noqa: S105 - a finding, not a secret
    BODY_ALTERED = "body_altered"
    SIGNATURE_ALTERED = "signature_altered"
    HEADER_MISSING = "header_missing"
    OLD_GENERATION = "old_generation"
    UNSUPPORTED_SCHEME = "unsupported_scheme"


#: The text for each outcome: its meaning and what to do.
OUTCOME_TEXT: Mapping[ValidationOutcome, str] = {
    ValidationOutcome.PROVEN: "a delivery was verified with this secret: the webhook is set up well",
    ValidationOutcome.NO_SECRET: (
        "the webhook has no signing secret yet, so deliveries are asked to come back: set the secret"
    ),
    ValidationOutcome.NOTHING_YET: (
        "nothing has arrived since the secret was set: send a test event from the webhook's page in"
        " PagerDuty; if that doesn't arrive either, test the address with calmo-pagerduty webhook test"
    ),
    ValidationOutcome.OLD_SECRET: (
        "deliveries arrive that are signed with the secret before this one: PagerDuty's older subscription"
        " still delivers; delete it there once the new one does"
    ),
    ValidationOutcome.OTHER_SECRET: (
        "deliveries arrive that are signed with another secret: paste the one that PagerDuty showed for this"
        " very subscription, or make a new subscription if it wasn't copied"
    ),
    ValidationOutcome.BODY_ALTERED: (
        "the body was altered on its way: something in front of us rewrites it; let it pass bytes unchanged"
    ),
    ValidationOutcome.SIGNATURE_ALTERED: (
        "the signature itself was altered on its way: let headers pass as they come"
    ),
    ValidationOutcome.HEADER_MISSING: (
        "deliveries arrive without a signature: either something in front of us takes the"
        " X-PagerDuty-Signature header away, or the subscription is an old V1 or V2 one"
    ),
    ValidationOutcome.OLD_GENERATION: (
        "an old V1 or V2 webhook delivers here, which PagerDuty no longer signs: make a V3 subscription"
        " (Generic Webhooks v3) and delete the old one"
    ),
    ValidationOutcome.UNSUPPORTED_SCHEME: (
        "the signature is of a kind that isn't known here (not v1=): is it PagerDuty that delivers?"
    ),
}


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """Number of unauthenticated deliveries of one kind, and when the last one came (UTC)."""

    verdict: str
    reason: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryEvidence:
    """The deliveries since the secret was set, without our own tests. Times are UTC."""

    verified_at: datetime | None = None
    verified_type: str | None = None
    by_older_at: datetime | None = None
    refused: tuple[RefusalCount, ...] = ()


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """The result of a webhook's validation, step by step."""

    proof: ValidationOutcome
    at: datetime | None = None
    #: An additional remark.
    note: str | None = None

    @property
    def text(self) -> str:
        return f"{OUTCOME_TEXT[self.proof]} ({self.note})" if self.note else OUTCOME_TEXT[self.proof]


def validate_setup(has_secret: bool, arrived: DeliveryEvidence) -> ValidationResult:
    """Return the outcome that the deliveries show."""
    if not has_secret:
        return ValidationResult(ValidationOutcome.NO_SECRET)
    latest = max(arrived.refused, key=lambda refusals: refusals.last_at, default=None)
    if arrived.verified_at is not None:
        note = f"it was {arrived.verified_type}" if arrived.verified_type else None
        if latest is not None and latest.last_at > arrived.verified_at:
            note = "but since then others were refused: does another subscription deliver here too?"
        return ValidationResult(ValidationOutcome.PROVEN, arrived.verified_at, note)
    if latest is not None:
        count = sum(refusals.count for refusals in arrived.refused)
        return ValidationResult(_outcome_of(latest), latest.last_at, f"{count} so far")
    if arrived.by_older_at is not None:
        return ValidationResult(ValidationOutcome.OLD_SECRET, arrived.by_older_at)
    return ValidationResult(ValidationOutcome.NOTHING_YET)


def _outcome_of(refused: RefusalCount) -> ValidationOutcome:
    """Return the outcome for a kind of refusal: by its verdict if that is decisive, else by its reason."""
    if refused.verdict == Verdict.LEGACY_PAYLOAD:
        return ValidationOutcome.OLD_GENERATION
    return OUTCOME_OF_SIGNATURE.get(refused.reason, ValidationOutcome.OTHER_SECRET)


OUTCOME_OF_SIGNATURE: Mapping[str, ValidationOutcome] = {
    SignatureVerdict.MATCH: ValidationOutcome.PROVEN,
    SignatureVerdict.MISSING: ValidationOutcome.HEADER_MISSING,
    SignatureVerdict.UNSUPPORTED_SCHEME: ValidationOutcome.UNSUPPORTED_SCHEME,
    SignatureVerdict.MISMATCH: ValidationOutcome.OTHER_SECRET,
}
