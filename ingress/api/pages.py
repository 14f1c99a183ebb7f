"""Pages of rows, newest first by number. A cursor is the last row's number in base64."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from calmo_pagerduty.incidents.queries import InvalidCursor

T = TypeVar("T")


def page(rows: Sequence[T], limit: int, number_of: Callable[[T], int]) -> tuple[Sequence[T], str | None]:
    """Return the page and the next page's cursor; None if `rows` has no more than `limit` rows."""
    page_rows = rows[:limit]
    return page_rows, encode_cursor(number_of(page_rows[-1])) if len(rows) > limit else None


def encode_cursor(number: int) -> str:
    return base64.urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> int | None:
    """Return the number that the page's rows are below; None for the first page. Raises InvalidCursor."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode((cursor[:40] + "=" * (-len(cursor[:40]) % 4)).encode("ascii"))
        if len(text) > 18 or not text.isdigit():
            raise InvalidCursor("cursor: this is not a cursor of this API")
        return int(text)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidCursor("cursor: this is not a cursor of this API") from error
