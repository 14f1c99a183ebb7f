"""Pages of what is listed newest first by its number: a cursor is the last number shown, made opaque."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from calmo_pagerduty.incidents.queries import InvalidCursor

T = TypeVar("T")


def page(found: Sequence[T], limit: int, number_of: Callable[[T], int]) -> tuple[Sequence[T], str | None]:
    """Return the page and the next one's cursor. `found` holds one more than `limit` if there is a next."""
    shown = found[:limit]
    return shown, encode_cursor(number_of(shown[-1])) if len(found) > limit else None


def encode_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> int | None:
    """Return the number below which the page begins. Raises InvalidCursor."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode((cursor[:40] + "=" * (-len(cursor[:40]) % 4)).encode("ascii"))
        if len(text) > 18 or not text.isdigit():
            raise InvalidCursor("cursor: this is not one that we gave")
        return int(text)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidCursor("cursor: this is not one that we gave") from error
