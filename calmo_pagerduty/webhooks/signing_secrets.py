"""Reads the signing secret from a pasted text, and names what else the text may be."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.webhooks.lifecycle import WEBHOOK_ID_PATTERN, WEBHOOK_PATH

#: PagerDuty's secrets are longer. A shorter text was cut off or is invented.
MIN_LENGTH = 16
MAX_LENGTH = 512

#: White space and what copying adds: zero-width characters, byte-order marks.
_WHITESPACE = " \t\r\n\v\f\u00a0\u2007\u202f\u200b\u200c\u200d\u2060\ufeff\x00"
_QUOTES = ('"', "'", "`")


class InvalidSecret(ExplainedError, ValueError):
    """The text is no signing secret. The message says what it seems to be, and never repeats it."""


@dataclass(frozen=True, slots=True)
class PastedSecret:
    """`notes` say what was removed from the pasted text."""

    secret: bytes = field(repr=False)
    notes: tuple[str, ...] = ()


def _is_token(text: str) -> bool:
    """Tell whether the text looks like a PagerDuty API key: 20 characters, or a letter, `+` and more."""
    return bool(re.fullmatch(r"[A-Za-z0-9_+-]{20}|[a-z]\+\S+", text)) or "token=" in text.lower()


#: What a pasted text may be instead, checked in this order: (test, error message).
_MISTAKEN_TEXTS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (
        lambda text: bool(re.search(r"\bv\d+=", text)) or "x-pagerduty-signature" in text.lower(),
        "this is a signature, which is another one for each delivery: paste the signing secret that"
        " PagerDuty showed when the subscription was made",
    ),
    (
        lambda text: WEBHOOK_PATH in text or bool(WEBHOOK_ID_PATTERN.fullmatch(text)),
        "this is the webhook's own address: it belongs into PagerDuty; paste the signing secret here that"
        " PagerDuty shows for it",
    ),
    (
        lambda text: bool(re.match(r"[a-z]+://", text, re.IGNORECASE)),
        "this is an address: paste the signing secret that PagerDuty showed when the subscription was made",
    ),
    (
        lambda text: text.startswith("calmo_"),
        "this is an API key of ours: if others may have seen it here, make a new one;"
        " the signing secret comes from PagerDuty",
    ),
    (
        _is_token,
        "this is a PagerDuty API key: it belongs to a connection (calmo-pagerduty connection add);"
        " the signing secret was shown when the subscription was made",
    ),
    (
        lambda text: any(character in _WHITESPACE for character in text),
        "there is white space within the secret: it was probably copied in parts; copy it in one piece",
    ),
    (
        lambda text: bool(re.fullmatch(r"[*•●·.x]+", text)),
        "this is a secret made unreadable: PagerDuty shows it only once, when the subscription is made",
    ),
    (
        lambda text: not (text.isascii() and text.isprintable()),
        "the secret has characters that no signing secret has: copy it again",
    ),
    (
        lambda text: len(text) < MIN_LENGTH,
        f"the secret is too short: PagerDuty's have more than {MIN_LENGTH} characters; copy it to its end",
    ),
    (
        lambda text: len(text) > MAX_LENGTH,
        "the text is too long for a signing secret: copy the secret alone",
    ),
)


def parse_secret(pasted: bytes) -> PastedSecret:
    """Return the signing secret in a pasted text. Raises InvalidSecret."""
    try:
        text = pasted.decode()
    except UnicodeDecodeError:
        raise InvalidSecret("the secret is not text: copy it again") from None
    notes: list[str] = []
    text = _trimmed(text, notes)
    if text.startswith("{"):
        text = _trimmed(_from_json(text), [])
        notes = ["the secret was taken out of PagerDuty's answer"]
    if not text:
        raise InvalidSecret("no signing secret was given")
    for matches, message in _MISTAKEN_TEXTS:
        if matches(text):
            raise InvalidSecret(message)
    return PastedSecret(text.encode(), tuple(notes))


def _trimmed(text: str, notes: list[str]) -> str:
    bare = text.strip(_WHITESPACE)
    if bare != text.rstrip("\r\n"):
        notes.append("white space around the secret was left away")
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in _QUOTES:
        notes.append("quotation marks around the secret were left away")
        bare = bare[1:-1].strip(_WHITESPACE)
    return bare


def _from_json(text: str) -> str:
    """Return `delivery_method.secret` of PagerDuty's answer. Raises InvalidSecret."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidSecret(
            "this looks like PagerDuty's answer, but only a part of it: paste the secret"
        ) from None
    subscription = _nested_object(answer, "webhook_subscription") or answer
    method = _nested_object(subscription, "delivery_method") or subscription
    secret = method.get("secret")
    if isinstance(secret, str) and secret:
        return secret
    raise InvalidSecret(
        "this answer of PagerDuty's holds no secret: only the answer to the subscription's creation does"
    )


def _nested_object(value: Any, name: str) -> dict[str, Any]:
    return as_object(as_object(value).get(name))
