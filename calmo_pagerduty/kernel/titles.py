"""Mask the changing parts of titles, and make the fingerprint of a kind of incident."""

import hashlib
import json
import re
import unicodedata

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: The rest of a longer title does not help to compare it.
MAX_TITLE_LENGTH = 160

_MASK = "#"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?"
_GROUP = r"[0-9a-f]{1,4}"
#: All eight groups, or a double colon: `10:30:05` is a time, which _NUMBER masks.
_IPV6 = (
    rf"(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}:){{1,7}}(?::{_GROUP}){{1,7}}"
    rf"|::(?:{_GROUP}:){{0,6}}{_GROUP}|(?:{_GROUP}:){{1,7}}:"
)
_HEX = r"0x[0-9a-f]+|(?=[a-f]*\d)[0-9a-f]{7,}"
#: Ids and addresses are masked only as whole tokens; a number is masked within a word too.
_WHOLE_TOKEN = re.compile(rf"(?<![0-9a-z])(?:{_UUID}|{_IPV4}|{_IPV6}|{_HEX})(?![0-9a-z])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPACE = re.compile(r"\s+")
#: An id that a machine made for a single event: a key with such an id names no kind of incident.
_ONE_OFF_ID = re.compile(rf"(?<![0-9a-z])(?:{_UUID}|(?=[a-f]*\d)[0-9a-f]{{16,}}|\d{{9,}})(?![0-9a-z])")


def mask_title(title: str) -> str:
    """Return the title, NFKC-normalized and casefolded, with `#` for each id, address and number."""
    plain = unicodedata.normalize(
        "NFKC", sanitize_text(title[:MAX_TITLE_LENGTH], MAX_TITLE_LENGTH)
    ).casefold()
    return _SPACE.sub(" ", _NUMBER.sub(_MASK, _WHOLE_TOKEN.sub(_MASK, plain))).strip()


def stable_key(key: str | None) -> str | None:
    """Return the alert's key; None if it holds an id that was made for a single event."""
    plain = (key or "").strip()
    return None if not plain or _ONE_OFF_ID.search(plain.casefold()) else plain


def fingerprint(service_id: str, key: str | None, masked_title: str) -> str:
    """Return 16 hex digits that incidents of one kind share: from the stable key, else from the title."""
    stable = stable_key(key)
    kind = ["key", service_id, stable] if stable else ["title", service_id, masked_title]
    return hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:16]
