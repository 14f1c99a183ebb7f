"""Analytics, against what a naive reading of the account's incidents says."""

from datetime import timedelta
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from tests.support.rest_account import Api

METRICS = "/analytics/metrics/incidents"


async def post(api: Api, path: str, **body: Any) -> Any:
    response = await api.send("POST", path, {"filters": {}, **body})
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_totals_are_those_of_the_incidents(api: Api, past: Account) -> None:
    (row,) = (await post(api, f"{METRICS}/all"))["data"]
    incidents = list(past.incidents.values())
    assert row["total_incident_count"] == 60
    times = [
        (incident.resolved_at - incident.created_at).total_seconds()
        for incident in incidents
        if incident.resolved_at is not None
    ]
    assert row["mean_seconds_to_resolve"] == pytest.approx(sum(times) / len(times), abs=1)
    assert row["p50_seconds_to_resolve"] <= row["p90_seconds_to_resolve"] <= row["p95_seconds_to_resolve"]
    assert "up_time_pct" not in row


async def test_groups_add_up_to_the_whole(api: Api, past: Account) -> None:
    for group, field in (("services", "service_id"), ("teams", "team_id")):
        rows = (await post(api, f"{METRICS}/{group}"))["data"]
        assert len({row[field] for row in rows}) == len(rows)
        assert sum(row["total_incident_count"] for row in rows) == 60
        assert all(0 <= row["up_time_pct"] <= 100 for row in rows)
    by_day = (await post(api, f"{METRICS}/all", aggregate_unit="day", time_zone="Europe/Berlin"))["data"]
    assert sum(row["total_incident_count"] for row in by_day) == 60
    assert all(row["range_start"].endswith("T00:00:00") for row in by_day)


async def test_the_filters_narrow(api: Api, past: Account) -> None:
    service_id = api.service_id("Search")
    (row,) = (await post(api, f"{METRICS}/services", filters={"service_ids": [service_id]}))["data"]
    mine = [incident for incident in past.incidents.values() if incident.service.id == service_id]
    assert (row["service_id"], row["total_incident_count"]) == (service_id, len(mine))
    bounds = {"created_at_start": "2026-01-01T00:00:00Z", "created_at_end": "2026-01-07T00:00:00Z"}
    (row,) = (await post(api, f"{METRICS}/all", filters=bounds | {"urgency": "high"}))["data"]
    inside = [
        incident
        for incident in past.incidents.values()
        if "2026-01-01" <= str(incident.created_at) < "2026-01-07"
    ]
    assert row["total_incident_count"] == sum(incident.urgency == "high" for incident in inside)
    wide = {"created_at_start": "2024-01-01T00:00:00Z", "created_at_end": "2026-01-07T00:00:00Z"}
    assert (await api.send("POST", f"{METRICS}/all", {"filters": wide})).status_code == 400


async def test_raw_incidents_are_paged_by_the_last_one(api: Api, past: Account) -> None:
    seen, after, more = [], None, True
    while more:
        body = {"limit": 25, **({"starting_after": after} if after else {})}
        page = await post(api, "/analytics/raw/incidents", **body)
        seen += [incident["id"] for incident in page["data"]]
        after, more = page["last"], page["more"]
        assert page["last"] == page["data"][-1]["id"]
    assert seen == list(reversed(past.incident_order))


async def test_one_incident_s_measures_are_read_from_what_happened_to_it(
    api: Api, clock: ManualClock
) -> None:
    made = await api.incident()
    clock.advance(timedelta(seconds=120))
    await api.change(made["id"], status="acknowledged")
    clock.advance(timedelta(seconds=60))
    await api.change(made["id"], escalation_level=2)
    clock.advance(timedelta(seconds=420))
    await api.change(made["id"], status="resolved")
    row = await api.get(f"/analytics/raw/incidents/{made['id']}")
    assert (row["seconds_to_first_ack"], row["seconds_to_resolve"]) == (120, 600)
    assert (row["manual_escalation_count"], row["timeout_escalation_count"]) == (1, 0)
    assert row["resolved_by_user_name"] == "Ines Albrecht"
    assert row["acknowledged_user_names"] == ["Ines Albrecht"]
    assert row["created_at"] == "2026-01-07T12:00:00"
    responses = (await api.get(f"/analytics/raw/incidents/{made['id']}/responses"))["responses"]
    assert {response["response_status"] for response in responses} <= {"joined", "pending"}


async def test_responders_are_on_call_for_as_long_as_their_shifts(api: Api, past: Account) -> None:
    bounds = {"date_range_start": "2026-01-05T00:00:00Z", "date_range_end": "2026-01-06T00:00:00Z"}
    mei, amara = api.user_id("Mei Tanaka"), api.user_id("Amara Okafor")
    path = "/analytics/metrics/responders/teams"
    rows = (await post(api, path, filters=bounds | {"responder_ids": [mei, amara]}))["data"]
    seconds = {row["responder_name"]: row["total_seconds_on_call_level_2_plus"] for row in rows}
    assert seconds["Mei Tanaka"] == 86_400
    on_first = {row["responder_name"]: row["total_seconds_on_call_level_1"] for row in rows}
    assert sum(on_first.values()) in {0, 8 * 3_600}


async def test_a_responder_s_incidents_have_no_more(api: Api, past: Account) -> None:
    user_id = api.user_id("Luc Delorme")
    page = await post(api, f"/analytics/raw/responders/{user_id}/incidents", limit=5)
    assert "more" not in page
    assert 0 < len(page["data"]) <= 5
    assert {row["responder_id"] for row in page["data"]} == {user_id}


async def test_a_user_s_token_must_name_a_team_or_a_service(api: Api, past: Account) -> None:
    headers = {"Authorization": "Token token=hers"}
    path = f"{METRICS}/all"
    assert (await api.http.post(path, json={"filters": {}}, headers=headers)).status_code == 400
    named = {"filters": {"service_ids": [api.service_id("Search")]}}
    assert (await api.http.post(path, json=named, headers=headers)).status_code == 200
