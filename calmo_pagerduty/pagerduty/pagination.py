"""Pagination without I/O: which request comes next, which items an answer adds, where the list goes on."""

from typing import Final, NoReturn

from calmo_pagerduty.pagerduty import time_order
from calmo_pagerduty.pagerduty.errors import NotUnderstood
from calmo_pagerduty.pagerduty.list_cursor import ListCursor, encode_cursor, start_cursor, with_bounds
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult, Paging

#: Maximum of offset + limit in one search. Source: PagerDuty's REST documentation, "Pagination".
MAX_OFFSET: Final = 10_000
INCOMPLETE_NOTE: Final = "PagerDuty said there was more, but sent nothing further: a part may be missing"


class Paginator:
    """Reads one list. Send `request()`, pass its answer to `take()`, and repeat until `request()` is None.

    Raises InvalidRequest for another list's `after`, NotUnderstood for an answer without the list.
    """

    def __init__(self, listing: ListRequest, connection_id: str = "", ceiling: int = MAX_OFFSET) -> None:
        self._listing = listing
        self._ceiling = ceiling
        self._position: ListCursor | None = start_cursor(listing, connection_id)
        self._remaining = listing.at_most
        self._read = 0
        self._limit = 0
        self._seen: set[str] = set()

    @property
    def next(self) -> str | None:
        """The cursor of the current position; None at the end of the list."""
        return None if self._position is None else encode_cursor(self._position)

    def request(self) -> ApiRequest | None:
        """Return the next request; None at the end of the list, after `at_most` or `read_at_most` items."""
        at = self._position
        listing = self._listing
        if at is None or self._remaining <= 0 or (listing.keep and self._read >= listing.read_at_most):
            return None
        # Where items are left out, more of them must be read than are wanted.
        wanted = listing.page_size if listing.keep else self._remaining
        self._limit = min(listing.page_size, at.skip + wanted)
        request = with_bounds(listing.request, at.bounds)
        match listing.paging:
            case Paging.NONE:
                return request
            case Paging.ANALYTICS:
                place: JsonObject = {} if at.cursor is None else {"starting_after": at.cursor}
                body = {**(request.body or {}), "limit": self._limit, **place}
                return request.model_copy(update={"body": body})
            case Paging.CURSOR:
                return _page_request(request, limit=str(self._limit), cursor=at.cursor)
            case Paging.CLASSIC:
                self._limit = min(self._limit, self._ceiling - at.offset)
                return _page_request(request, limit=str(self._limit), offset=str(at.offset))

    def take(self, answer: JsonObject) -> ListResult:
        """Return the answer's new items, in order, without repeated ones."""
        at = self._position
        assert at is not None
        page = answer.get(self._listing.items)
        if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
            _raise_no_list(self._listing)
        items: list[JsonObject] = []
        used = at.skip
        after: ListCursor = at
        for item in page[at.skip :]:
            if len(items) == self._remaining:
                break
            used += 1
            after = self._pass(after, item, items)
        self._remaining -= len(items)
        read = used - at.skip
        self._read += read
        notes: tuple[str, ...] = ()
        if used < len(page):
            place = {"offset": at.offset + used} if self._is_classic else {"skip": used}
            self._position = after.model_copy(update=place)
        else:
            self._position, notes = self._advance(after, answer, len(page))
        return ListResult(items=tuple(items), next=self.next, notes=notes, read=read)

    @property
    def _is_classic(self) -> bool:
        return self._listing.paging is Paging.CLASSIC

    def _pass(self, at: ListCursor, item: JsonObject, items: list[JsonObject]) -> ListCursor:
        """Append the item if it is wanted, unless it came before: pages shift when a list grows meanwhile."""
        identity = item.get("id")
        if isinstance(identity, str) and self._listing.paging is not Paging.NONE:
            if identity in self._seen:
                return at
            self._seen.add(identity)
        if self._is_classic and self._listing.divisible_by_time:
            after = time_order.advance_past(at, item)
            if after is None:
                return at
            at = after
        if self._listing.keep is None or self._listing.keep(item):
            items.append(item)
        return at

    def _advance(
        self, at: ListCursor, answer: JsonObject, received: int
    ) -> tuple[ListCursor | None, tuple[str, ...]]:
        """Return the position after a whole page, and notes about missing items."""
        if self._listing.paging is Paging.NONE:
            return None, ()
        if self._listing.paging is Paging.CLASSIC:
            return self._advance_by_offset(at, answer, received)
        if self._listing.paging is Paging.CURSOR:
            cursor, more = answer.get("next_cursor"), True
        else:
            cursor, more = answer.get("last"), self._has_more(answer, received)
        if not more or (cursor in {None, ""} and self._listing.paging is Paging.CURSOR):
            return None, ()
        if not isinstance(cursor, str) or not cursor or cursor == at.cursor:
            return None, (INCOMPLETE_NOTE,)
        return at.model_copy(update={"cursor": cursor, "skip": 0}), ()

    def _advance_by_offset(
        self, at: ListCursor, answer: JsonObject, received: int
    ) -> tuple[ListCursor | None, tuple[str, ...]]:
        if not self._has_more(answer, received):
            return None, ()
        if not received:
            return None, (INCOMPLETE_NOTE,)
        offset = at.offset + received
        if offset < self._ceiling:
            return at.model_copy(update={"offset": offset}), ()
        narrower = time_order.narrowed_cursor(self._listing, at)
        return narrower, () if narrower else (self._unreached(at),)

    def _has_more(self, answer: JsonObject, received: int) -> bool:
        """Return the answer's `more`. If it is missing, a full page means that there is another page."""
        more = answer.get("more")
        return more if isinstance(more, bool) else received >= self._limit

    def _unreached(self, at: ListCursor) -> str:
        things = self._listing.items
        reach = f"PagerDuty hands out the first {self._ceiling} of one search, and there are more {things}"
        if at.second is not None and at.edge == at.second:
            return f"{reach} in the second {at.second:%Y-%m-%dT%H:%M:%SZ}: those after it are missing"
        return f"{reach}: the rest is missing; narrow the search, such as by since and until"


def _page_request(request: ApiRequest, **values: str | None) -> ApiRequest:
    others = tuple(pair for pair in request.query if pair[0] not in values)
    added = tuple((name, value) for name, value in values.items() if value is not None)
    return request.model_copy(update={"query": (*others, *added)})


def _raise_no_list(listing: ListRequest) -> NoReturn:
    error = NotUnderstood(
        f"PagerDuty's answer holds no list of {listing.items}", status=200, advice="try again"
    )
    error.may_have_happened = False
    raise error
