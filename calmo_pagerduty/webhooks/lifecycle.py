"""The states of a webhook. A few flags decide the state, and one table lists the allowed transitions.

    waiting_for_secret ──▶ unproven ──▶ armed     in addition: paused, disabled_by_pagerduty, deleted

A paused webhook still accepts deliveries and stores them without forwarding. PagerDuty sends nothing to
a disabled webhook. No transition leads out of `deleted`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

#: How long a replaced secret stays valid: PagerDuty retries for 48 h with the first signature.
SECRET_OVERLAP = timedelta(hours=72)

#: Secrets of a webhook that are valid at once, for each of its subscriptions: the current and the one before.
#: Each delivery is compared with all of them.
SECRETS_OF_SUBSCRIPTION = 2
MIN_MAX_SECRETS = 4


def max_live_secrets(filters: int) -> int:
    """Return how many secrets may be valid at once, for a webhook of so many services or teams."""
    return max(MIN_MAX_SECRETS, SECRETS_OF_SUBSCRIPTION * filters)


WEBHOOK_ID_PATTERN = re.compile(r"wh_[a-z2-7]{32}")
WEBHOOK_PATH = "/webhooks/pagerduty/"


class WebhookState(StrEnum):
    """The states of a webhook. `state_of` computes it."""

    WAITING_FOR_SECRET = "waiting_for_secret"  # noqa: S105 - a state, not a secret
    #: No delivery has been verified yet: an unsigned delivery gets 503, so PagerDuty retries it.
    UNPROVEN = "unproven"
    ARMED = "armed"
    PAUSED = "paused"
    #: Three deliveries in a row were refused or lost, so PagerDuty sends nothing for a day.
    DISABLED_BY_PAGERDUTY = "disabled_by_pagerduty"
    DELETED = "deleted"


class WebhookTransition(StrEnum):
    """What people do to a webhook, and what deliveries and the doctor show of it."""

    SECRET_SET = "secret_set"  # noqa: S105 - a transition, not a secret
    VERIFIED = "verified"
    PAUSED = "paused"
    RESUMED = "resumed"
    SUBSCRIBED = "subscribed"
    ROTATED = "rotated"
    TESTED = "tested"
    SEEN_DISABLED = "seen_disabled"
    SEEN_ENABLED = "seen_enabled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class WebhookFlags:
    """The flags that decide a webhook's state.

    `secret`: it has a live secret. `armed`: a delivery was verified. `disabled`: by PagerDuty.
    """

    secret: bool = False
    armed: bool = False
    paused: bool = False
    disabled: bool = False
    deleted: bool = False


class WebhookConflict(Exception):
    """The webhook's state doesn't allow the transition. The message says why."""


FlagPattern = Mapping[str, bool]

#: The first row whose flags all match gives the state.
STATE_PATTERNS: tuple[tuple[WebhookState, FlagPattern], ...] = (
    (WebhookState.DELETED, {"deleted": True}),
    (WebhookState.DISABLED_BY_PAGERDUTY, {"disabled": True}),
    (WebhookState.PAUSED, {"paused": True}),
    (WebhookState.ARMED, {"secret": True, "armed": True}),
    (WebhookState.UNPROVEN, {"secret": True}),
    (WebhookState.WAITING_FOR_SECRET, {}),
)

#: By transition: the flags that it requires, and the flags that it sets. A transition may be repeated.
TRANSITIONS: Mapping[WebhookTransition, tuple[FlagPattern, FlagPattern]] = {
    WebhookTransition.SECRET_SET: ({"deleted": False}, {"secret": True}),
    WebhookTransition.VERIFIED: ({"deleted": False, "secret": True}, {"armed": True}),
    WebhookTransition.PAUSED: ({"deleted": False}, {"paused": True}),
    WebhookTransition.RESUMED: ({"deleted": False}, {"paused": False}),
    WebhookTransition.SUBSCRIBED: ({"deleted": False}, {"secret": True}),
    WebhookTransition.ROTATED: ({"deleted": False, "secret": True}, {}),
    WebhookTransition.TESTED: ({"deleted": False, "secret": True, "paused": False}, {}),
    WebhookTransition.SEEN_DISABLED: ({"deleted": False}, {"disabled": True}),
    WebhookTransition.SEEN_ENABLED: ({"deleted": False}, {"disabled": False}),
    WebhookTransition.DELETED: ({"deleted": False}, {"deleted": True}),
}

#: The message if a required flag is missing.
REFUSAL_REASONS: Mapping[tuple[str, bool], str] = {
    ("deleted", False): "the webhook is deleted: make a new one",
    ("secret", True): "the webhook has no signing secret yet: set it first",
    ("paused", False): "the webhook is paused: resume it first",
}


def state_of(flags: WebhookFlags) -> WebhookState:
    """Return the state for these flags. Total, because the last row matches any flags."""
    return next(state for state, pattern in STATE_PATTERNS if _unmet_flag(flags, pattern) is None)


def apply_transition(flags: WebhookFlags, transition: WebhookTransition) -> WebhookFlags:
    """Return the flags after the transition. Raises WebhookConflict."""
    required, changes = TRANSITIONS[transition]
    missing = _unmet_flag(flags, required)
    if missing is not None:
        raise WebhookConflict(REFUSAL_REASONS[missing])
    return replace(flags, **changes)


def _unmet_flag(flags: WebhookFlags, pattern: FlagPattern) -> tuple[str, bool] | None:
    return next(((name, value) for name, value in pattern.items() if getattr(flags, name) is not value), None)


def webhook_handle(webhook_id: str) -> str:
    """Return the webhook's handle, for lists, logs and the audit: the whole id would reveal its address."""
    return f"wh_{webhook_id[-6:]}"


def webhook_url(public_address: str, webhook_id: str) -> str:
    """Return the URL that PagerDuty delivers to. People see it once, when the webhook is made."""
    return f"{public_address}{WEBHOOK_PATH}{webhook_id}"


def masked_url(public_address: str, webhook_id: str) -> str:
    """Return the webhook's URL with all but the last six characters of its id hidden."""
    return f"{public_address}{WEBHOOK_PATH}…{webhook_id[-6:]}"


def redact_webhook_ids(text: str) -> str:
    """Return the text with handles in place of webhooks' ids."""
    return WEBHOOK_ID_PATTERN.sub(lambda match: webhook_handle(match[0]), text)
