"""Lists with cursors, analytics, and lists of one answer."""

from typing import Any

from hypothesis import given, strategies as st

from calmo_pagerduty.pagerduty.pagination import Paginator
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, Method, Paging

FILTERS = {"created_at_start": "2026-01-01T00:00:00Z", "team_ids": ["P1"]}


def a_listing(paging: Paging, at_most: int, after: str | None, page_size: int) -> ListRequest:
    analytics = paging is Paging.ANALYTICS
    request = ApiRequest(
        method=Method.POST if analytics else Method.GET,
        path="/analytics/raw/incidents" if analytics else "/schedules/P1/audit/records",
        body={"filters": FILTERS} if analytics else None,
    )
    return ListRequest(
        request=request, items="data", paging=paging, at_most=at_most, after=after, page_size=page_size
    )


def answer(paging: Paging, request: ApiRequest, count: int, tells_more: bool, cap: int) -> JsonObject:
    """PagerDuty with `count` things, which sends `cap` of them at most, whatever is asked."""
    asked: dict[str, Any] = request.body or dict(request.query)
    place = asked.get("starting_after" if paging is Paging.ANALYTICS else "cursor")
    begin = int(place.removeprefix("c")) if place else 0
    end = count if paging is Paging.NONE else min(count, begin + min(int(asked["limit"]), cap))
    page = [{"id": f"P{number}"} for number in range(begin, end)]
    if paging is Paging.ANALYTICS:
        assert asked["filters"] == FILTERS
        return {"data": page, "last": f"c{end}", **({"more": end < count} if tells_more else {})}
    return {"data": page, "next_cursor": f"c{end}" if end < count else None}


@given(
    paging=st.sampled_from([Paging.NONE, Paging.CURSOR, Paging.ANALYTICS]),
    count=st.integers(0, 30),
    part=st.integers(1, 12),
    page_size=st.integers(1, 12),
    tells_more=st.booleans(),
    cap=st.integers(1, 12),
)
def test_everything_is_handed_out_once_in_any_parts(
    paging: Paging, count: int, part: int, page_size: int, tells_more: bool, cap: int
) -> None:
    cap = cap if tells_more else 100
    after: str | None = None
    ids: list[str] = []
    for _ in range(count + 1):
        walk = Paginator(a_listing(paging, part, after, page_size))
        while (request := walk.request()) is not None:
            page = walk.take(answer(paging, request, count, tells_more, cap))
            assert not page.notes
            ids += [item["id"] for item in page.items]
        after = walk.next
        if after is None:
            break
    assert after is None and ids == [f"P{number}" for number in range(count)]


def test_a_page_larger_than_wanted_is_cut_and_gone_on_with() -> None:
    for paging in (Paging.CURSOR, Paging.ANALYTICS):
        walk = Paginator(a_listing(paging, 2, None, 100))
        whole = {"data": [{"id": "P1"}, {"id": "P2"}, {"id": "P3"}], "next_cursor": None, "more": False}
        walk.request()
        assert [item["id"] for item in walk.take(whole).items] == ["P1", "P2"]
        rest = Paginator(a_listing(paging, 2, walk.next, 100))
        request = rest.request()
        assert request is not None and "4" in str(request.body or request.query)  # the two that were had, too
        assert [item["id"] for item in rest.take(whole).items] == ["P3"]
        assert rest.next is None


def test_a_cursor_that_leads_nowhere_ends_with_a_word() -> None:
    for paging, field in ((Paging.CURSOR, "next_cursor"), (Paging.ANALYTICS, "last")):
        walk = Paginator(a_listing(paging, 9, None, 2))
        notes: tuple[str, ...] = ()
        for number in range(2):
            walk.request()
            notes = walk.take({"data": [{"id": f"P{number}"}], field: "same", "more": True}).notes
        assert notes and walk.next is None and walk.request() is None


def test_analytics_dates_are_kept_as_they_were_at_first() -> None:
    walk = Paginator(a_listing(Paging.ANALYTICS, 1, None, 1))
    walk.request()
    walk.take({"data": [{"id": "P1"}], "last": "c1", "more": True})
    listing = a_listing(Paging.ANALYTICS, 1, walk.next, 1)
    later = {"filters": {**FILTERS, "created_at_start": "2026-02-02T00:00:00Z"}}
    moved = listing.model_copy(update={"request": listing.request.model_copy(update={"body": later})})
    request = Paginator(moved).request()
    assert request is not None and request.body is not None and request.body["filters"] == FILTERS
