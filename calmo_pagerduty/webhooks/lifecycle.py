"""The life of a webhook: where it stands follows from a few facts, and one table says what may happen.

    waiting_for_secret ──▶ unproven ──▶ armed     beside these: paused, disabled_by_pagerduty, deleted

A paused webhook still takes deliveries in, and puts them aside; one that PagerDuty has switched off
gets none. Nothing leads out of `deleted`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

#: A replaced secret lives on: PagerDuty repeats deliveries for 48 h, signed as they first were.
SECRET_OVERLAP = timedelta(hours=72)

WEBHOOK_ID_PATTERN = re.compile(r"wh_[a-z2-7]{32}")
WEBHOOK_PATH = "/webhooks/pagerduty/"


class WebhookState(StrEnum):
    WAITING_FOR_SECRET = "waiting_for_secret"  # noqa: S105 - a state, not a secret
    #: No delivery was verified yet: an unsigned one is asked to come back.
    UNPROVEN = "unproven"
    ARMED = "armed"
    PAUSED = "paused"
    #: Three deliveries in a row were refused or lost, so PagerDuty sends nothing for a day.
    DISABLED_BY_PAGERDUTY = "disabled_by_pagerduty"
    DELETED = "deleted"


class WebhookTransition(StrEnum):
    """What people do to a webhook, and what is seen of it."""

    SECRET_SET = "secret_set"  # noqa: S105
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
    """All that a webhook's state follows from. `secret`: one is live; `armed`: a delivery was verified."""

    secret: bool = False
    armed: bool = False
    paused: bool = False
    disabled: bool = False
    deleted: bool = False


class WebhookConflict(Exception):
    """What was asked for makes no sense for a webhook that stands so; the message says why."""


FlagPattern = Mapping[str, bool]

#: The first row whose facts all hold is the state.
STATE_PATTERNS: tuple[tuple[WebhookState, FlagPattern], ...] = (
    (WebhookState.DELETED, {"deleted": True}),
    (WebhookState.DISABLED_BY_PAGERDUTY, {"disabled": True}),
    (WebhookState.PAUSED, {"paused": True}),
    (WebhookState.ARMED, {"secret": True, "armed": True}),
    (WebhookState.UNPROVEN, {"secret": True}),
    (WebhookState.WAITING_FOR_SECRET, {}),
)

#: Which facts each happening needs, and which it changes. Whatever is so already may happen again.
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

#: What is said when a needed fact is missing.
REFUSAL_REASONS: Mapping[tuple[str, bool], str] = {
    ("deleted", False): "the webhook is deleted: make a new one",
    ("secret", True): "the webhook has no signing secret yet: set it first",
    ("paused", False): "the webhook is paused: resume it first",
}


def state_of(facts: WebhookFlags) -> WebhookState:
    """Return where a webhook with these facts stands: total, since the last row asks for nothing."""
    return next(state for state, wanted in STATE_PATTERNS if _unmet_flag(facts, wanted) is None)


def apply_transition(facts: WebhookFlags, what: WebhookTransition) -> WebhookFlags:
    """Return the facts afterwards. Raises NotPossible."""
    needed, changes = TRANSITIONS[what]
    missing = _unmet_flag(facts, needed)
    if missing is not None:
        raise WebhookConflict(REFUSAL_REASONS[missing])
    return replace(facts, **changes)


def _unmet_flag(facts: WebhookFlags, wanted: FlagPattern) -> tuple[str, bool] | None:
    return next(((name, value) for name, value in wanted.items() if getattr(facts, name) is not value), None)


def webhook_handle(webhook_id: str) -> str:
    """Return what lists, logs and the audit call a webhook: its id is the key to its address."""
    return f"wh_{webhook_id[-6:]}"


def webhook_url(public_address: str, webhook_id: str) -> str:
    """Return the address that PagerDuty delivers to. It is shown once, when the webhook is made."""
    return f"{public_address}{WEBHOOK_PATH}{webhook_id}"


def masked_url(public_address: str, webhook_id: str) -> str:
    return f"{public_address}{WEBHOOK_PATH}…{webhook_id[-6:]}"


def redact_webhook_ids(text: str) -> str:
    """Return a text of somebody else's with handles in place of webhooks' ids."""
    return WEBHOOK_ID_PATTERN.sub(lambda found: webhook_handle(found[0]), text)
