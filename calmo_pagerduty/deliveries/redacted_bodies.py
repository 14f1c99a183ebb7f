"""Redacts a delivery's body for people: without secrets, e-mail addresses and telephone numbers."""

import json
import re
from typing import Any

from calmo_pagerduty.kernel.redaction import MASK, redact
from calmo_pagerduty.kernel.untrusted_text import clean_json

MAX_TEXT_LENGTH = 4096
#: A field with such a name holds a secret or personal data.
_SECRET_FIELD = re.compile(
    r"secret|token|password|passwd|authorization|credential|private_key|api_?key|signature"
    r"|(routing|integration|service)_key|e-?mail|phone|conference|bridge",
    re.IGNORECASE,
)


def redact_body(body: bytes) -> str:
    """Return the body as JSON text with secrets masked. A body that is no JSON becomes masked text."""
    text = body.decode("utf-8", "replace")
    try:
        return json.dumps(_masked(clean_json(json.loads(text), MAX_TEXT_LENGTH)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return redact(str(clean_json(text, MAX_TEXT_LENGTH)))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            redact(name): MASK if _is_secret_field(name, part) else _masked(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_masked(part) for part in value]
    return value


def _is_secret_field(name: str, value: Any) -> bool:
    """Tell whether to mask the field. An empty value is no secret, whatever its name."""
    return value not in (None, "", [], {}) and _SECRET_FIELD.search(name) is not None
