"""A delivery's body as people may see it: what it says, without secrets, addresses and numbers of people."""

import json
import re
from typing import Any

from calmo_pagerduty.kernel.redaction import MASK, redacted
from calmo_pagerduty.kernel.untrusted_text import clean_json

LONGEST_TEXT = 4096
#: A field of such a name holds what nobody needs to see.
_SECRET_FIELD = re.compile(
    r"secret|token|password|passwd|authorization|credential|private_key|api_?key|signature"
    r"|(routing|integration|service)_key|e-?mail|phone|conference|bridge",
    re.IGNORECASE,
)


def shown_body(body: bytes) -> str:
    """Return the body as JSON text with what is secret masked; what is no JSON, as masked text."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(_masked(clean_json(json.loads(text), LONGEST_TEXT)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return redacted(str(clean_json(text, LONGEST_TEXT)))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(name): MASK if _hides(name, part) else _masked(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_masked(part) for part in value]
    return value


def _hides(name: str, value: Any) -> bool:
    """An event's type may speak of a bridge or a token; what it holds is no secret if it is nothing."""
    return value not in (None, "", [], {}) and _SECRET_FIELD.search(name) is not None
