"""What incidents have in common: titles without what differs each time, and the fingerprint made of it."""

import hashlib
import json
import re
import unicodedata

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: More of a title says nothing about what it is like.
MAX_TITLE_LENGTH = 160

_MASK = "#"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?"
_GROUP = r"[0-9a-f]{1,4}"
#: All eight groups, or a double colon: `10:30:05` is a time, and numbers do for it.
_IPV6 = (
    rf"(?:{_GROUP}:){{7}}{_GROUP}|(?:{_GROUP}:){{1,7}}(?::{_GROUP}){{1,7}}"
    rf"|::(?:{_GROUP}:){{0,6}}{_GROUP}|(?:{_GROUP}:){{1,7}}:"
)
_HEX = r"0x[0-9a-f]+|(?=[a-f]*\d)[0-9a-f]{7,}"
#: What stands alone; a number is masked within a word too.
_WHOLE_TOKEN = re.compile(rf"(?<![0-9a-z])(?:{_UUID}|{_IPV4}|{_IPV6}|{_HEX})(?![0-9a-z])")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SPACE = re.compile(r"\s+")
#: Made by a machine for one occasion: a key that holds it names no kind of incident.
_ONE_OFF_ID = re.compile(rf"(?<![0-9a-z])(?:{_UUID}|(?=[a-f]*\d)[0-9a-f]{{16,}}|\d{{9,}})(?![0-9a-z])")


def mask_title(title: str) -> str:
    """Return the title in small letters with `#` for each id, address and number."""
    plain = unicodedata.normalize(
        "NFKC", sanitize_text(title[:MAX_TITLE_LENGTH], MAX_TITLE_LENGTH)
    ).casefold()
    return _SPACE.sub(" ", _NUMBER.sub(_MASK, _WHOLE_TOKEN.sub(_MASK, plain))).strip()


def stable_key(key: str | None) -> str | None:
    """Return the alert's key, if it names what happened; None for one made for a single occasion."""
    plain = (key or "").strip()
    return None if not plain or _ONE_OFF_ID.search(plain.casefold()) else plain


def fingerprint(service_id: str, key: str | None, masked_title: str) -> str:
    """Return what tells incidents of one kind: by the alert's key, else by the title. 16 hex digits."""
    lasting = stable_key(key)
    kind = ["key", service_id, lasting] if lasting else ["title", service_id, masked_title]
    return hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:16]
