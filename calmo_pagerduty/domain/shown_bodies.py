"""A delivery's body as people may see it: what it says, without secrets, addresses and numbers of people."""

import json
import re
from typing import Any

from calmo_pagerduty.domain.untrusted_text import clean

MASK = "***"
LONGEST_TEXT = 4096
#: A field of such a name holds what nobody needs to see.
_SECRET_FIELD = re.compile(
    r"secret|token|password|passwd|authorization|credential|private_key|api_?key|signature"
    r"|(routing|integration|service)_key|e-?mail|phone|conference|bridge",
    re.IGNORECASE,
)
_SECRET_TEXTS = (
    re.compile(r"calmo_[a-z2-7]{16}_[a-z2-7]{52}_[0-9a-f]{8}"),
    re.compile(r"\bwh_[a-z2-7]{32}"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)\btoken\s?token=\S+"),
    #: PagerDuty's REST keys: `u+` and 18, or 20 characters in all; Events keys are 32 of hex.
    re.compile(r"\bu\+[A-Za-z0-9_-]{16,}"),
    re.compile(r"\bpdus\+\S{8,}"),
    re.compile(r"\b[0-9a-f]{32}\b"),
    re.compile(r"(?i)\b(?:password|passwd|secret|api[_-]?key|token)\s*[=:]\s*\S+"),
    re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"),
    re.compile(r"(?<![\w.+])\+\d[\d ().-]{6,18}\d"),
)


def shown_body(body: bytes) -> str:
    """Return the body as JSON text with what is secret masked; what is no JSON, as masked text."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(_masked(clean(json.loads(text), LONGEST_TEXT)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return _masked_text(str(clean(text, LONGEST_TEXT)))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, dict):
        return {
            _masked_text(name): MASK if _hides(name, one) else _masked(one) for name, one in value.items()
        }
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return value


def _hides(name: str, value: Any) -> bool:
    """An event's type may speak of a bridge or a token; what it holds is no secret if it is nothing."""
    return value not in (None, "", [], {}) and _SECRET_FIELD.search(name) is not None


def _masked_text(text: str) -> str:
    for pattern in _SECRET_TEXTS:
        text = pattern.sub(MASK, text)
    return text
