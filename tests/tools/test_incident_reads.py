"""Tools that read incidents ask for what is meant, and show what is needed, whatever is missing."""

from datetime import timedelta
from typing import Any

import pytest

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound
from calmo_pagerduty.pagerduty.pagination import Paginator
from calmo_pagerduty.pagerduty.requests import JsonObject, ListRequest, ListResult
from calmo_pagerduty.tools.arguments import InvalidArguments, parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.plans import shapes
from tests.support.plan_runs import FIRST, NOON, drive, listed, run


def an_incident(number: int, priority: str) -> JsonObject:
    created_at = format_iso_utc(NOON - timedelta(minutes=number))
    return {"id": f"Q{number}", "created_at": created_at, "priority": {"id": priority}}


def read_incidents(everything: list[JsonObject], arguments: dict[str, Any]) -> JsonObject:
    """Call list_incidents on an account that ignores every filter, page by page."""

    def pages(asked: Any) -> ListResult:
        paginator, read = Paginator(asked), 0
        items: list[JsonObject] = []
        while (request := paginator.request()) is not None:
            query = dict(request.query)
            offset, limit = int(query["offset"]), int(query["limit"])
            page = everything[offset : offset + limit]
            taken = paginator.take({"incidents": page, "more": offset + limit < len(everything)})
            items += taken.items
            read += taken.read
        return ListResult(items=tuple(items), next=paginator.next, read=read)

    tool = TOOLS["list_incidents"]
    return drive(tool.plan(parse_arguments(tool, arguments), FIRST), pages).result


def test_open_incidents_are_found_however_old_they_are() -> None:
    done = run("list_incidents", {"statuses": ["triggered", "acknowledged"]}, listed())
    assert done.query()["date_range"] == ["all"]
    assert done.query()["statuses[]"] == ["triggered", "acknowledged"]
    assert "since" not in done.query()


def test_all_incidents_are_those_of_thirty_days() -> None:
    done = run("list_incidents", {}, listed())
    assert done.query()["since"] == ["2026-01-31T12:00:00Z"]
    assert done.query()["until"] == ["2026-03-02T12:00:00Z"]


@pytest.mark.parametrize("since", ["2025-01-01T00:00:00Z", "2026-03-02T12:00:00Z", "2027-01-01T00:00:00Z"])
def test_a_beginning_without_an_end_must_be_recent(since: str) -> None:
    with pytest.raises(InvalidRequest, match="180 days"):
        run("list_incidents", {"since": since})


def test_incidents_outside_the_window_or_of_another_priority_are_left_out() -> None:
    inside = {"id": "P1", "created_at": "2026-03-01T09:00:00Z", "priority": {"id": "PP1"}}
    before = inside | {"id": "P2", "created_at": "2026-03-01T07:59:59Z"}
    other = inside | {"id": "P3", "priority": None}
    arguments = {"since": "2026-03-01T08:00:00Z", "priority_ids": ["PP1"]}
    asked = run("list_incidents", arguments, listed()).asked[0]
    assert isinstance(asked, ListRequest) and asked.keep is not None
    assert [asked.keep(resource) for resource in (inside, before, other)] == [True, False, False]


def test_a_filter_by_priority_reads_on_until_enough_match() -> None:
    """PagerDuty ignores the filter. The oldest 40 of 100 incidents have the priority; then 2,400 don't."""
    hundred = [an_incident(number, "PP1" if number >= 60 else "PP2") for number in range(100)]
    found = read_incidents(hundred, {"priority_ids": ["PP1"], "limit": 10})
    assert [item["id"] for item in found["items"]] == [f"Q{number}" for number in range(60, 70)]
    assert found["notes"] == [
        "70 incidents were read, since PagerDuty can't filter by priority; 10 match so far:"
        " go on with `after`, more may follow"
    ]
    rest = read_incidents(hundred, {"priority_ids": ["PP1"], "limit": 100, "after": found["next"]})
    assert [item["id"] for item in rest["items"]] == [f"Q{number}" for number in range(70, 100)]
    assert rest["next"] is None and "these are all that match" in rest["notes"][0]


def test_a_search_by_priority_ends_at_a_bound_and_says_so() -> None:
    many = [an_incident(number, "PP1" if number == 2_400 else "PP2") for number in range(2_500)]
    found = read_incidents(many, {"priority_ids": ["PP1"]})
    assert found["items"] == [] and found["next"]
    assert "1000 incidents were read" in found["notes"][0] and "more may follow" in found["notes"][0]
    again = read_incidents(many, {"priority_ids": ["PP1"], "after": found["next"]})
    last = read_incidents(many, {"priority_ids": ["PP1"], "after": again["next"]})
    assert [item["id"] for item in last["items"]] == ["Q2400"] and last["next"] is None


def test_a_listing_goes_on_where_it_stopped() -> None:
    done = run("list_services", {"limit": 7, "after": "abc"}, listed())
    asked = done.asked[0]
    assert isinstance(asked, ListRequest)
    assert (asked.at_most, asked.after, asked.items) == (7, "abc", "services")


def test_an_incident_is_read_without_extras_if_pagerduty_refuses_them() -> None:
    done = run("get_incident", {"incident_id": "P1"}, InvalidRequest("no"), {"incident": {"id": "P1"}})
    assert done.result == {"id": "P1"}
    assert done.query(0)["include[]"] == ["body", "custom_fields"] and done.query(1) == {}


def test_an_incident_that_is_gone_is_not_found() -> None:
    with pytest.raises(NotFound):
        run("get_incident", {"incident_id": "P1"}, NotFound("gone"))


def test_an_incident_is_shown_short() -> None:
    thing = {
        "id": "P1",
        "self": "https://api.pagerduty.com/incidents/P1",
        "html_url": "https://shop.pagerduty.com/incidents/P1",
        "title": "Down",
        "resolved_at": None,
        "alert_counts": {"all": 0},
        "service": {"id": "PS", "type": "service_reference", "summary": "Shop", "self": "https://x.invalid"},
        "assignments": [{"at": "now", "assignee": {"id": "PU", "type": "user_reference", "summary": "Ada"}}],
        "invented_next_year": {"a": 1},
    }
    assert shapes.shape_incident(thing) == {
        "id": "P1",
        "title": "Down",
        "alert_counts": {"all": 0},
        "service": {"id": "PS", "summary": "Shop", "type": "service"},
        "assigned_to": [{"id": "PU", "summary": "Ada", "type": "user"}],
        "url": "https://shop.pagerduty.com/incidents/P1",
    }


@pytest.mark.parametrize(
    "shape",
    [
        *(
            shapes.shape_incident,
            shapes.shape_incident_details,
            shapes.shape_note,
            shapes.shape_log_entry,
            shapes.shape_alert,
        ),
        *(
            shapes.shape_alert_details,
            shapes.shape_service,
            shapes.shape_service_details,
            shapes.shape_escalation_policy,
        ),
        *(shapes.shape_change_event, shapes.shape_maintenance_window, shapes.shape_flat),
    ],
)
@pytest.mark.parametrize("value", [None, "text", 5, [], [None, 1], {}, {"id": None}])
def test_whatever_pagerduty_leaves_out_or_sends_is_borne(shape: object, value: object) -> None:
    names = (
        *("service", "assignments", "acknowledgements", "priority", "teams", "channel", "body", "agent"),
        *("resolve_reason", "conference_bridge", "escalation_rules", "integrations", "custom_fields"),
        *("incidents_responders", "correlation_reason", "incident_type", "html_url", "event_details"),
    )
    assert callable(shape)
    assert isinstance(shape(dict.fromkeys(names, value)), dict)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.pagerduty.com/x",
        "https://pagerduty.com.evil.example/x",
        "https://evilpagerduty.com/x",
        "https://shop.pagerduty.com@evil.example/x",
        "https://user:pw@shop.pagerduty.com/x",
        "https://shop.pagerduty.com:8443/x",
        "https://[::1/x",
        "javascript:alert(1)",
        None,
        5,
    ],
)
def test_only_pagerdutys_own_pages_are_linked(url: object) -> None:
    assert shapes.url_of({"html_url": url}) is None


def test_the_log_is_always_bounded() -> None:
    done = run("list_log_entries", {}, listed({"id": "R1", "type": "notify_log_entry"}))
    assert done.query()["since"] == ["2026-03-01T12:00:00Z"]
    assert done.result["items"] == [{"id": "R1", "type": "notify"}]


def test_the_newest_figures_are_said_to_lag() -> None:
    done = run("get_analytics_data", {}, {"data": [{"total_incident_count": 0, "mean": None}]})
    assert done.result["items"] == [{"total_incident_count": 0}]
    assert "lag" in done.result["notes"][0]
    old = {"until": (NOON - timedelta(days=3)).isoformat()}
    assert run("get_analytics_data", old, {"data": []}).result["notes"] == []


def test_responders_are_asked_for_by_their_own_names_of_the_bounds() -> None:
    done = run("get_analytics_data", {"subject": "responders"}, {"data": []})
    assert done.requests[0].body == {
        "filters": {"date_range_start": "2026-01-31T12:00:00Z", "date_range_end": "2026-03-02T12:00:00Z"},
        "time_zone": "Etc/UTC",
    }


def test_a_dependency_says_which_way_it_goes() -> None:
    rows = [
        {"id": "D1", "supporting_service": {"id": "PA"}, "dependent_service": {"id": "PB"}},
        {"id": "D2", "supporting_service": {"id": "PB"}, "dependent_service": None},
    ]
    named = {"service": {"id": "PA", "name": "Order database"}}
    done = run("list_service_dependencies", {"service_id": "PB"}, {"relationships": rows}, named)
    assert [item["direction"] for item in done.result["items"]] == ["uses", "used_by"]
    assert done.result["items"][0]["service"] == {"id": "PA", "summary": "Order database"}


def test_a_dependency_whose_name_can_not_be_read_keeps_its_id_and_is_told_of() -> None:
    business = {"id": "PA", "type": "business_service_reference"}
    rows = [{"id": "D1", "supporting_service": business, "dependent_service": {"id": "PB"}}]
    done = run("list_service_dependencies", {"service_id": "PB"}, {"relationships": rows}, NotFound("gone"))
    assert done.lines[1] == "GET /business_services/PA"
    assert done.result["items"][0]["service"]["id"] == "PA"
    assert done.result["notes"][-1] == "1 service could not be read: only the id is known."


def test_an_incident_is_named_by_its_number_as_text_or_number() -> None:
    for number in (12, "12"):
        done = run("get_incident", {"incident_id": number}, {"incident": {"id": "P1"}})
        assert done.requests[0].path == "/incidents/12"
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(InvalidArguments):
            run("get_incident", {"incident_id": wrong})
