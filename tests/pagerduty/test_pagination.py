"""Long lists: whatever the pages, everything once and in order, or words about what is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotUnderstood
from calmo_pagerduty.pagerduty.pagination import Paginator
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, Method, Paging

START = datetime(2026, 3, 1, tzinfo=UTC)
SINCE, UNTIL = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"


def at(second: int) -> str:
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Shelf:
    """PagerDuty's classic lists, with a low ceiling; `by_day` is where only a bound's date counts."""

    def __init__(
        self, items: list[JsonObject], ceiling: int, until_included: bool = False, by_day: bool = False
    ) -> None:
        self.items, self.ceiling = items, ceiling
        self.until_included, self.by_day = until_included, by_day
        self.asked = 0

    def answer(self, request: ApiRequest) -> JsonObject:
        self.asked += 1
        query = dict(request.query)
        offset, limit = int(query["offset"]), int(query["limit"])
        assert offset + limit <= self.ceiling and limit > 0
        found = [item for item in self.items if self._is_within(item["created_at"], query)]
        page = found[offset : offset + limit]
        return {"incidents": page, "more": offset + limit < len(found), "limit": limit, "offset": offset}

    def _is_within(self, created_at: str, query: dict[str, str]) -> bool:
        since, until = query.get("since", ""), query.get("until", "9")
        if self.by_day:
            return since[:10] <= created_at[:10] <= until[:10]
        return since <= created_at and (created_at < until or (self.until_included and created_at == until))


def a_listing(at_most: int = 10**6, after: str | None = None, **changes: Any) -> ListRequest:
    query = changes.pop(
        "query", (("since", SINCE), ("until", UNTIL), ("statuses[]", "a"), ("statuses[]", "b"))
    )
    request = ApiRequest(method=Method.GET, path="/incidents", query=query)
    listing = {
        "items": "incidents",
        "paging": Paging.CLASSIC,
        "divisible_by_time": True,
        "page_size": 3,
        **changes,
    }
    return ListRequest(request=request, at_most=at_most, after=after, **listing)


def walked(shelf: Shelf, listing: ListRequest) -> tuple[list[str], str | None, list[str]]:
    walk = Paginator(listing, ceiling=shelf.ceiling)
    ids: list[str] = []
    notes: list[str] = []
    while (request := walk.request()) is not None:
        assert [value for name, value in request.query if name == "statuses[]"] in (["a", "b"], [])
        page = walk.take(shelf.answer(request))
        ids += [item["id"] for item in page.items]
        notes += page.notes
    return ids, walk.next, notes


def walked_in_parts(shelf: Shelf, part: int, **changes: Any) -> tuple[list[str], list[str]]:
    ids: list[str] = []
    notes: list[str] = []
    after: str | None = None
    while True:
        more, after, told = walked(shelf, a_listing(part, after, **changes))
        assert len(more) <= part
        ids, notes = ids + more, notes + told
        if after is None:
            return ids, notes


#: Few enough seconds that a ceiling often falls into the middle of one.
seconds = st.lists(st.integers(0, 12), max_size=60)


def things(times: list[int], newest_first: bool) -> list[JsonObject]:
    ordered = sorted(times, reverse=newest_first)
    return [{"id": f"P{number}", "created_at": at(second)} for number, second in enumerate(ordered)]


@given(
    times=seconds,
    ceiling=st.integers(2, 20),
    page_size=st.integers(1, 25),
    part=st.integers(1, 30),
    newest_first=st.booleans(),
    until_included=st.booleans(),
)
def test_everything_is_handed_out_once_and_in_order_or_it_is_said(
    times: list[int], ceiling: int, page_size: int, part: int, newest_first: bool, until_included: bool
) -> None:
    shelf = Shelf(things(times, newest_first), ceiling, until_included)
    expected = [item["id"] for item in shelf.items]
    ids, after, notes = walked(shelf, a_listing(page_size=page_size))
    assert after is None
    assert ids == expected[: len(ids)]
    assert bool(notes) == (len(ids) < len(expected))
    crowd = max((times.count(second) for second in times), default=0)
    if 2 * crowd < ceiling:
        assert ids == expected
    assert walked_in_parts(shelf, part, page_size=page_size) == (ids, notes)


@given(times=seconds, ceiling=st.integers(2, 20), newest_first=st.booleans())
def test_bounds_by_the_day_lose_nothing_silently(times: list[int], ceiling: int, newest_first: bool) -> None:
    shelf = Shelf(things([hour * 3600 for hour in times], newest_first), ceiling, by_day=True)
    expected = [item["id"] for item in shelf.items]
    ids, _, notes = walked(shelf, a_listing())
    assert ids == expected[: len(ids)]
    assert bool(notes) == (len(ids) < len(expected))
    assert walked_in_parts(shelf, 2) == (ids, notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"divisible_by_time": False},
        {"query": (("since", SINCE), ("sort_by", "urgency:desc"))},
        {"query": (("since", SINCE), ("date_range", "all"))},
    ],
)
def test_a_search_that_cant_be_narrowed_says_what_is_missing(changes: dict[str, Any]) -> None:
    ids, after, notes = walked(Shelf(things(list(range(9)), False), 5), a_listing(**changes))
    assert len(ids) == 5 and after is None
    assert "first 5" in notes[0] and "since and until" in notes[0]


def test_newest_first_without_since_isnt_narrowed_since_its_default_would_move() -> None:
    shelf = Shelf(things(list(range(9)), True), 5)
    assert walked(shelf, a_listing(query=()))[2]
    assert not walked(Shelf(things(list(range(9)), False), 5), a_listing(query=()))[2]


def test_a_list_out_of_order_isnt_narrowed() -> None:
    items = things(list(range(9)), False)
    items[1], items[2] = items[2], items[1]
    ids, _, notes = walked(Shelf(items, 5), a_listing())
    assert len(ids) == 5 and notes


def test_a_crowded_second_is_named() -> None:
    ids, _, notes = walked(Shelf(things([0, *[7] * 9], False), 5), a_listing())
    assert len(ids) == 6 and at(7) in notes[0]


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_crowded_second_at_the_ceiling_is_read_on(newest_first: bool) -> None:
    shelf = Shelf(things([5, 5, 6, 6, 6, 7, 7], newest_first), 4)
    expected = [item["id"] for item in shelf.items]
    assert walked(shelf, a_listing()) == (expected, None, [])
    for part in range(1, 8):
        assert walked_in_parts(shelf, part) == (expected, [])


def test_a_day_read_again_in_parts_repeats_nothing() -> None:
    shelf = Shelf(things([0, 1, 90_000, 90_001, 90_002, 90_003, 180_000], False), 5, by_day=True)
    expected = [item["id"] for item in shelf.items]
    for part in range(1, 8):
        ids, notes = walked_in_parts(shelf, part)
        assert ids == expected[: len(ids)] and bool(notes) == (len(ids) < len(expected))


def test_a_page_larger_than_asked_is_cut_and_gone_on_with() -> None:
    walk = Paginator(a_listing(2))
    walk.request()
    walk.take({"incidents": [{"id": "P1"}, {"id": "P2"}, {"id": "P3"}], "more": False})
    request = Paginator(a_listing(2, walk.next)).request()
    assert request is not None and dict(request.query)["offset"] == "2"


@pytest.mark.parametrize("divisible", [True, False])
def test_a_list_that_grows_at_its_beginning_repeats_nothing(divisible: bool) -> None:
    shelf = Shelf(things(list(range(9)), True), 100)
    walk = Paginator(a_listing(divisible_by_time=divisible))
    ids: list[str] = []
    while (request := walk.request()) is not None:
        ids += [item["id"] for item in walk.take(shelf.answer(request)).items]
        shelf.items.insert(0, {"id": f"new{len(ids)}", "created_at": at(99)})
    assert len(ids) == len(set(ids)) and {f"P{number}" for number in range(9)} <= set(ids)


def test_it_advances_by_what_was_received() -> None:
    walk = Paginator(a_listing(page_size=100))
    walk.request()
    walk.take({"incidents": [{"id": "P1"}, {"id": "P2"}], "more": True})
    request = walk.request()
    assert request is not None and dict(request.query)["offset"] == "2"


def test_more_of_nothing_ends_with_a_word() -> None:
    walk = Paginator(a_listing())
    walk.request()
    page = walk.take({"incidents": [], "more": True})
    assert page.next is None and "missing" in page.notes[0]


def test_without_more_a_short_page_is_the_last() -> None:
    walk = Paginator(a_listing(page_size=2))
    walk.request()
    assert walk.take({"incidents": [{"id": "P1"}, {"id": "P2"}]}).next is not None
    walk.request()
    assert walk.take({"incidents": [{"id": "P3"}]}).next is None


@pytest.mark.parametrize("answer", [{}, {"incidents": None}, {"incidents": {}}, {"incidents": ["P1"]}])
def test_an_answer_without_the_list_is_not_understood(answer: JsonObject) -> None:
    walk = Paginator(a_listing())
    walk.request()
    with pytest.raises(NotUnderstood, match="no list of incidents") as raised:
        walk.take(answer)
    assert not raised.value.may_have_happened


def test_a_position_keeps_the_first_bounds_in_time() -> None:
    after = walked(Shelf(things(list(range(9)), False), 100), a_listing(4))[1]
    later = (("since", "2026-03-02T00:00:00Z"), ("until", UNTIL), ("statuses[]", "a"), ("statuses[]", "b"))
    request = Paginator(a_listing(4, after, query=later)).request()
    assert request is not None and dict(request.query)["since"] == SINCE


@pytest.mark.parametrize(
    "after", ["", "x", "€", "e30", "eyJsaXN0aW5nIjoieCIsIm9mZnNldCI6LTF9", "A" * 600_000]
)
def test_garbage_is_no_position(after: str) -> None:
    with pytest.raises(InvalidRequest, match=r"isn't a position.*unchanged"):
        Paginator(a_listing(after=after))


@given(after=st.text() | st.binary().map(lambda raw: raw.hex()))
def test_any_text_is_refused_in_words(after: str) -> None:
    with pytest.raises(InvalidRequest):
        Paginator(a_listing(after=after))


@pytest.mark.parametrize("changes", [{"query": ()}, {"items": "alerts"}, {"paging": Paging.CURSOR}])
def test_another_lists_position_is_refused(changes: dict[str, Any]) -> None:
    after = walked(Shelf(things(list(range(9)), False), 100), a_listing(4))[1]
    with pytest.raises(InvalidRequest, match="another list"):
        Paginator(a_listing(4, after, **changes))
    with pytest.raises(InvalidRequest, match="another list"):
        Paginator(a_listing(4, after), connection_id="another connection")
