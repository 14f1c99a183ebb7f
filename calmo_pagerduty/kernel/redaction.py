"""Masks secrets, e-mail addresses and telephone numbers in texts that people see.

Deliveries' bodies and PagerDuty's error messages use the same table, so both mask the same things.
Identifiers, times, versions and network addresses stay.
"""

import re
from collections.abc import Iterable
from re import Pattern
from typing import Final

MASK: Final = "***"

#: Words that may follow `token:` in a sentence and are no token.
_NOT_PROSE: Final = (
    r"(?!(?:an?|and|are|at|can|can't|cannot|does|doesn't|error|has|have|in|invalid|is|isn't|may|missing|must|no"
    r"|not|of|or|required|should|that|the|too|was|were|will|with|you|your)(?:[.,;:!?)]*(?:\s|$)))"
)
_DOMAIN: Final = (
    r"(?:(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}"  # example.org, but not the version in react@18.2.0
    r"|[^\W\d_][^\W\d]{2,62}(?![\w.:-]*\d)"  # localhost, but not the digest in image@sha256:0f…
    r"|\d{1,3}(?:\.\d{1,3}){3})"  # 10.0.0.1
)

#: By kind of secret: (pattern, replacement). The order matters, because each pattern gets the text that
#: earlier patterns have masked. A group in a replacement preserves the word before the secret.
PATTERNS: Final[dict[str, tuple[Pattern[str], str]]] = {
    "API key of ours": (re.compile(r"calmo_[a-z2-7]{16}_[a-z2-7]{52}_[0-9a-f]{8}"), MASK),
    "webhook address": (re.compile(r"\bwh_[a-z2-7]{32}"), MASK),
    "bearer or REST token": (re.compile(r"(?i)\b(bearer\s+|token\s?token=\s*)\S+"), rf"\1{MASK}"),
    "basic credentials": (re.compile(r"(?i)\b(basic\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{MASK}"),
    # `u+` and 18 characters. Source: PagerDuty's documentation, "API Access Keys".
    "user's REST key": (re.compile(r"\bu\+[A-Za-z0-9_-]{16,}"), MASK),
    "OAuth token": (re.compile(r"\bpdus\+\S{8,}"), MASK),
    "integration key": (re.compile(r"(?i)(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])"), MASK),
    "named secret": (
        re.compile(rf"(?i)\b((?:password|passwd|secret|api[_-]?key|token)\s*[=:]\s*){_NOT_PROSE}\S+"),
        rf"\1{MASK}",
    ),
    "e-mail address": (re.compile(rf"[^\s@\"'<>()\[\]{{}},;:=/|\\]{{1,64}}@{_DOMAIN}"), MASK),
    "number with country code": (
        re.compile(r"(?<![\w.+])(?:\+\d|00[1-9]\d{0,2}[ ./-])[\d\s().-]{5,18}\d"),
        MASK,
    ),
    "number with area code": (
        re.compile(
            r"(?<![\w.+:-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-]|\.\d)"  # 555-123-4567
            r"|(?<![\w.+:-])\(?0\d{2,5}\)?[ /-]+\d[\d /-]{4,12}\d(?![\w:-]|\.\d)"  # 030 1234-5678
            r"|(?<![\w.+:-])0[1-9]\d{7,10}(?![\w:-]|\.\d)"  # 01711234567
        ),
        MASK,
    ),
    "number that is called one": (
        re.compile(
            r"(?i)\b((?:phone|mobile|cell|sms|tel|telephone|fax)\b\.?(?:\s+(?:number|no\.|to|is|at))?\s*[:=#]?\s*[\"'(]?)"
            r"(?!\d{4}-\d\d-\d\d)\d[\d\s().-]{5,18}\d"
        ),
        rf"\1{MASK}",
    ),
    # Ten digits, with the country's 1 or without: an area code and an exchange never begin with 0 or 1.
    # Source: North American Numbering Plan. A number of seconds since 1970 begins with 1 until 2033.
    "North American number": (re.compile(r"(?<![\w.+-])1?[2-9]\d{2}[2-9]\d{6}(?![\w-]|\.\d)"), MASK),
}


def redact(text: str) -> str:
    """Return the text with `***` in place of secrets and personal data.

    Args:
        text: Any text. The time grows with its length, so cut it first.
    """
    for pattern, replacement in PATTERNS.values():
        text = pattern.sub(replacement, text)
    return text


def redact_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with `***` in place of the given secrets, such as a call's token."""
    for secret in filter(None, secrets):
        text = text.replace(secret, MASK)
    return text
