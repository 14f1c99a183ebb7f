"""Lists: filters, dates, sorting and the kinds of pages."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.past import write_change
from pagerduty_simulator.rest import application
from pagerduty_simulator.rest_api import AccountSite
from tests.support.rest_account import Api


async def numbers(api: Api, **query: Any) -> list[int]:
    query = {"limit": 100, "date_range": "all"} | query
    return [incident["incident_number"] for incident in (await api.get("/incidents", **query))["incidents"]]


async def test_pages_follow_each_other_without_a_gap(api: Api, past: Account) -> None:
    seen, offset, more = [], 0, True
    while more:
        page = await api.get("/incidents", limit=25, offset=offset, date_range="all")
        seen += [incident["incident_number"] for incident in page["incidents"]]
        more, offset = page["more"], offset + len(page["incidents"])
        assert page["total"] is None
    assert seen == list(range(1, 61))
    assert (await api.get("/incidents", total="true", date_range="all"))["total"] == 60


async def test_nothing_is_listed_beyond_ten_thousand(api: Api) -> None:
    response = await api.send("GET", "/incidents", params={"limit": 100, "offset": 9_901})
    assert (response.status_code, response.json()["error"]["code"]) == (400, 2002)


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"statuses[]": "snoozed"},
        {"limit": "many"},
        {"limit": "0"},
        {"date_range": "x"},
    ],
)
async def test_nonsense_is_refused(api: Api, query: dict[str, str]) -> None:
    assert (await api.send("GET", "/incidents", params=query)).status_code == 400


async def test_incidents_are_filtered_by_every_filter(api: Api, past: Account) -> None:
    incidents = list(past.incidents.values())
    chosen = next(incident for incident in incidents if incident.priority)
    assert chosen.priority is not None
    for name, value, matches in (
        ("statuses[]", "triggered", lambda it: it.status == "triggered"),
        ("urgencies[]", "low", lambda it: it.urgency == "low"),
        ("service_ids[]", chosen.service.id, lambda it: it.service.id == chosen.service.id),
        ("team_ids[]", chosen.teams[0].id, lambda it: chosen.teams[0] in it.teams),
        ("incident_key", chosen.incident_key, lambda it: it.id == chosen.id),
    ):
        expected = [it.number for it in incidents if matches(it)]
        assert await numbers(api, **{name: value}) == expected, name
    for unknown in ("priorities[]", "priority_ids[]"):
        # PagerDuty's schema has no filter by priority: it ignores what it doesn't know.
        assert await numbers(api, **{unknown: chosen.priority.id}) == list(range(1, 61))


async def test_since_counts_from_the_last_month_and_at_most_six(
    api: Api, past: Account, clock: ManualClock
) -> None:
    assert len(await numbers(api, date_range="")) == 60
    clock.advance(timedelta(days=20))
    later = (await api.get("/incidents", limit=100))["incidents"]
    assert 0 < len(later) < 60
    wide = {"since": "2025-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert (await api.send("GET", "/incidents", params=wide)).status_code == 400
    assert len(await numbers(api, **wide)) == 60


async def test_sorting_takes_two_fields(api: Api, past: Account) -> None:
    by_urgency = await numbers(api, sort_by="urgency:asc,incident_number:desc")
    expected = sorted(past.incidents.values(), key=lambda it: (it.urgency, -it.number))
    assert by_urgency == [it.number for it in expected]
    three = {"sort_by": "urgency,created_at,resolved_at"}
    assert (await api.send("GET", "/incidents", params=three)).status_code == 400


async def test_log_entries_of_the_account_come_newest_first_and_within_bounds(
    api: Api, past: Account
) -> None:
    page = await api.get("/log_entries", limit=100, since="2026-01-01T00:00:00Z")
    moments = [entry["created_at"] for entry in page["log_entries"]]
    assert moments == sorted(moments, reverse=True)
    assert min(moments) >= "2026-01-01"
    overview = await api.get("/log_entries", limit=100, is_overview="true")
    assert "notify_log_entry" not in {entry["type"] for entry in overview["log_entries"]}


async def test_include_swaps_references_for_objects(api: Api) -> None:
    made = await api.incident(body={"type": "incident_body", "details": "Since noon"})
    query = {"include[]": ["assignees", "services", "escalation_policies", "body"]}
    full = (await api.get(f"/incidents/{made['id']}", **query))["incident"]
    assert full["assignments"][0]["assignee"]["email"].endswith("@lantern-lane.example")
    assert (full["service"]["type"], full["escalation_policy"]["type"]) == ("service", "escalation_policy")
    assert full["body"]["details"] == "Since noon"
    assert "body" not in made


async def test_an_unknown_include_is_refused(api: Api) -> None:
    for path in ("/incidents", "/log_entries", "/services", "/oncalls", "/users"):
        odd = await api.send("GET", path, params={"include[]": "everything"})
        assert (odd.status_code, odd.json()["error"]["code"]) == (400, 2001), path


async def test_people_services_and_policies_are_found_by_words(api: Api) -> None:
    assert [user["name"] for user in (await api.get("/users", query="tana"))["users"]] == ["Mei Tanaka"]
    assert [service["name"] for service in (await api.get("/services", query="check"))["services"]] == [
        "Checkout API"
    ]
    policies = (await api.get("/escalation_policies", query="plat"))["escalation_policies"]
    assert [policy["name"] for policy in policies] == ["Platform on-call"]
    targets = policies[0]["escalation_rules"][0]["targets"]
    assert [target["type"] for target in targets] == ["schedule_reference"]


async def test_change_events_want_utc_and_say_neither_limit_nor_offset(api: Api) -> None:
    page = await api.get("/change_events", since="2026-01-07T00:00:00Z")
    assert (page["limit"], page["offset"]) == (None, None)
    assert all(change["timestamp"] >= "2026-01-07" for change in page["change_events"])
    local = {"since": "2026-01-07T00:00:00+01:00"}
    assert (await api.send("GET", "/change_events", params=local)).status_code == 400


def test_a_past_is_only_for_an_account_without_one(past: Account) -> None:
    with pytest.raises(ValueError, match="before anything else"):
        generate_history(past, incidents=1, days=1)


async def test_changes_are_listed_newest_first_from_since_to_before_until(api: Api, past: Account) -> None:
    service = past.services[api.service_id("Search")]
    moments = [past.now() - timedelta(minutes=minutes) for minutes in (40, 30, 20)]
    ids = [write_change(past, service, at, "Release", past.rng).id for at in moments]
    bounds = {"since": "2026-01-07T11:20:00Z", "until": "2026-01-07T11:40:00Z"}
    listed = await api.get(f"/services/{service.id}/change_events", **bounds)
    assert [change["id"] for change in listed["change_events"]] == [ids[1], ids[0]]
    everywhere = await api.get("/change_events", **bounds)
    assert everywhere["change_events"] == listed["change_events"]


async def test_a_change_that_is_added_later_is_listed_too(api: Api, past: Account) -> None:
    service = past.services[api.service_id("Search")]
    before = await api.get("/change_events")
    change = write_change(past, service, past.now() - timedelta(minutes=1), "Release", past.rng)
    after = await api.get("/change_events")
    assert [change_event["id"] for change_event in after["change_events"]] == [
        change.id,
        *(change_event["id"] for change_event in before["change_events"]),
    ]


async def test_every_answer_takes_the_latency_of_the_network(
    site: AccountSite, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(application, "asyncio", SimpleNamespace(sleep=sleep))
    site.latency = timedelta(milliseconds=30)
    await api.get("/services")
    assert slept == [0.03]
