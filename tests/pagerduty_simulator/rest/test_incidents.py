"""Incidents by REST: what a write changes, what it logs, which webhooks it fires."""

from datetime import timedelta
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.rest_api import AccountSite
from tests.support.rest_account import Api


@pytest.fixture
def told(site: AccountSite, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The types of the events that are handed to the webhooks."""
    types: list[str] = []
    monkeypatch.setattr(
        site.sender, "publish", lambda events, **_: types.extend(event.event_type for event in events)
    )
    return types


async def log_types(api: Api, incident_id: str) -> list[str]:
    entries = (await api.get(f"/incidents/{incident_id}/log_entries", limit=100))["log_entries"]
    return [entry["type"].removesuffix("_log_entry") for entry in reversed(entries)]


async def test_a_created_incident_is_there_and_is_told_of_with_its_author(api: Api, account: Account) -> None:
    made = await api.incident(urgency="low", incident_key="search/latency")
    read = (await api.get(f"/incidents/{made['id']}"))["incident"]
    assert read == made
    assert (read["status"], read["urgency"], read["incident_key"]) == ("triggered", "low", "search/latency")
    assert read["last_status_change_by"]["summary"] == "Ines Albrecht"
    by_number = (await api.get(f"/incidents/{made['incident_number']}"))["incident"]
    assert by_number["id"] == made["id"]


async def test_each_change_fires_the_webhook_that_pagerduty_would(api: Api, told: list[str]) -> None:
    made = await api.incident()
    user = {"assignee": {"id": api.user_id("Mei Tanaka"), "type": "user_reference"}}
    policy = {"id": list(api.site.account.escalation_policies)[1], "type": "escalation_policy_reference"}
    for change in (
        {"status": "acknowledged"},
        {"status": "triggered"},
        {"priority": "P2"},
        {"escalation_level": 2},
        {"assignments": [user]},
        {"escalation_policy": policy},
        {"title": "Search is down", "urgency": "low"},
        {"status": "resolved", "resolution": "Restarted"},
        {"status": "acknowledged"},
    ):
        response = await api.change(made["id"], **change)
        assert response.status_code == 200, response.text
    assert told == [
        "incident.triggered",
        "incident.acknowledged",
        "incident.unacknowledged",
        "incident.priority_updated",
        "incident.escalated",
        "incident.reassigned",
        "incident.delegated",
        "incident.resolved",
        "incident.reopened",
    ]
    assert response.json()["incident"]["status"] == "acknowledged"
    types = await log_types(api, made["id"])
    kept = [kind for kind in types if kind not in {"notify", "assign"}]
    assert kept == [
        *("trigger", "acknowledge", "unacknowledge", "field_value_change", "escalate", "delegate"),
        *("field_value_change", "urgency_change", "resolve", "field_value_change"),
    ]


async def test_a_resolution_lands_in_the_log_entry_only(api: Api) -> None:
    made = await api.incident()
    await api.change(made["id"], status="resolved", resolution="Restarted")
    entries = (await api.get(f"/incidents/{made['id']}/log_entries"))["log_entries"]
    assert [entry["note"] for entry in entries if entry["type"] == "resolve_log_entry"] == ["Restarted"]
    assert (await api.get(f"/incidents/{made['id']}/notes"))["notes"] == []


async def test_notes_updates_and_responders_can_be_read_back(api: Api, told: list[str]) -> None:
    made = await api.incident()
    path, mei = f"/incidents/{made['id']}", api.user_id("Mei Tanaka")
    await api.send("POST", f"{path}/notes", {"note": {"content": "One"}})
    await api.send("POST", f"{path}/status_updates", {"message": "Working on it"})
    target = {"responder_request_target": {"id": mei, "type": "user_reference"}}
    asked = {"requester_id": mei, "message": "Help", "responder_request_targets": [target]}
    assert (await api.send("POST", f"{path}/responder_requests", asked)).status_code == 200
    assert [note["content"] for note in (await api.get(f"{path}/notes"))["notes"]] == ["One"]
    responders = (await api.get(path))["incident"]["incidents_responders"]
    assert [(responder["user"]["id"], responder["state"]) for responder in responders] == [(mei, "pending")]
    assert told[1:] == [
        "incident.annotated",
        "incident.status_update_published",
        "incident.responder.added",
    ]
    cancelled = {
        "requester_id": mei,
        "responder_request_targets": [
            {"id": mei, "type": "user_reference"},
            {"id": "PNOBODY", "type": "user_reference"},
        ],
    }
    results = (await api.send("PUT", f"{path}/responder_requests/cancel", cancelled)).json()
    assert [request_target["result"] for request_target in results["responder_request_targets"]] == [
        "cancelled",
        "not_found",
    ]


async def test_what_the_existing_operations_do_is_logged_too(api: Api, account: Account) -> None:
    (event,) = account.trigger(api.service_id("Search"), "By hand")
    assert event.incident_id is not None
    account.acknowledge(event.incident_id, by=api.user_id("Mei Tanaka"))
    types = await log_types(api, event.incident_id)
    assert (types[0], types[-1]) == ("trigger", "acknowledge")
    assert {"assign", "notify"} <= set(types)


async def test_a_snooze_ends_by_itself(api: Api, told: list[str], clock: ManualClock) -> None:
    made = await api.incident()
    snooze = f"/incidents/{made['id']}/snooze"
    early = await api.send("POST", snooze, {"duration": 600})
    assert (early.status_code, early.json()["error"]["code"]) == (400, 1012)
    await api.change(made["id"], status="acknowledged")
    snoozed = (await api.send("POST", snooze, {"duration": 600})).json()["incident"]
    assert [action["type"] for action in snoozed["pending_actions"]] == ["unacknowledge"]
    clock.advance(timedelta(seconds=601))
    assert (await api.get(f"/incidents/{made['id']}"))["incident"]["status"] == "triggered"
    assert told[-1] == "incident.unacknowledged"


async def test_merged_incidents_are_resolved_and_hand_over_their_alerts(api: Api, account: Account) -> None:
    source, target = await api.incident(), await api.incident()
    account.add_alert(source["id"], "Latency", "error")
    body = {"source_incidents": [{"id": source["id"], "type": "incident_reference"}]}
    merged = await api.send("PUT", f"/incidents/{target['id']}/merge", body)
    assert merged.json()["incident"]["type"] == "incident_reference"
    read = (await api.get(f"/incidents/{source['id']}"))["incident"]
    assert read["resolve_reason"]["incident"]["id"] == target["id"]
    assert len((await api.get(f"/incidents/{target['id']}/alerts"))["alerts"]) == 1
    again = await api.send("PUT", f"/incidents/{target['id']}/merge", body)
    assert again.json()["error"]["code"] == 1019


async def test_many_are_changed_whole_or_not_at_all(api: Api) -> None:
    first, other = await api.incident(), await api.incident()
    await api.change(other["id"], status="resolved")
    rows = [{"id": made["id"], "type": "incident", "status": "resolved"} for made in (first, other)]
    response = await api.send("PUT", "/incidents", {"incidents": rows})
    assert (response.status_code, response.json()["error"]["code"]) == (400, 1001)
    assert (await api.get(f"/incidents/{first['id']}"))["incident"]["status"] == "triggered"
    too_many = await api.send("PUT", "/incidents", {"incidents": rows[:1] * 251})
    assert too_many.status_code == 413


async def test_refusals_carry_pagerduty_s_codes(api: Api) -> None:
    made = await api.incident(incident_key="taken")
    nobody = {"assignee": {"id": "PNOBODY", "type": "user_reference"}}
    for change, code in (
        ({"priority": {"id": "PNONE", "type": "priority_reference"}}, 1020),
        ({"assignments": [nobody]}, 1007),
        ({"escalation_policy": {"id": "PNONE", "type": "escalation_policy_reference"}}, 1014),
        ({"escalation_level": 9}, 1006),
        ({"status": "forgotten"}, 1003),
        ({"service": {"id": "PNONE", "type": "service_reference"}}, 5002),
        ({"assignments": [], "escalation_policy": made["escalation_policy"]}, 2001),
    ):
        response = await api.change(made["id"], **change)
        assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    elsewhere = {
        "type": "incident",
        "title": "Where",
        "service": {"id": "PNONE", "type": "service_reference"},
    }
    unknown = await api.send("POST", "/incidents", {"incident": elsewhere})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, 5002)
    endless = await api.send("POST", f"/incidents/{made['id']}/snooze", {"duration": 604_801})
    assert (endless.status_code, endless.json()["error"]["code"]) == (400, 1013)
    body = {"type": "incident", "title": "Again", "incident_key": "taken", "service": made["service"]}
    again = await api.send("POST", "/incidents", {"incident": body})
    assert (again.status_code, again.json()["error"]["code"]) == (400, 2002)
    gone = await api.send("GET", "/incidents/QNONE")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, 2100)


async def test_the_insights_are_about_like_titles_and_near_services(api: Api, past: Account) -> None:
    made = await api.incident(title="Search: latency above 512 ms")
    past_ones = (await api.get(f"/incidents/{made['id']}/past_incidents"))["past_incidents"]
    assert past_ones
    assert past_ones[0]["score"] >= past_ones[-1]["score"] > 0
    shop = await api.incident(service_id=api.service_id("Shop web"), title="Other words entirely")
    related = (await api.get(f"/incidents/{made['id']}/related_incidents"))["related_incidents"]
    reasons = {
        row["incident"]["id"]: [relationship["type"] for relationship in row["relationships"]]
        for row in related
    }
    assert reasons[shop["id"]] == ["service_dependency"]
    outlier = (await api.get(f"/incidents/{shop['id']}/outlier_incident"))["outlier_incident"]
    assert outlier["incident"]["occurrence"]["category"] == "anomaly"
    changes = (await api.get(f"/incidents/{shop['id']}/related_change_events"))["change_events"]
    why = {change["services"][0]["summary"]: change["correlation_reason"]["reason"] for change in changes}
    assert why == {"Shop web": "most_recent", "Checkout API": "related_service"}


async def test_an_open_incident_impacts_the_business_services_above_it(api: Api) -> None:
    path = "/business_services/impacts"
    before = (await api.get(path))["services"]
    assert {service["status"] for service in before} == {"not_impacted"}
    made = await api.incident()
    impacted = {
        service["name"] for service in (await api.get(path))["services"] if service["status"] == "impacted"
    }
    assert impacted == {"Shopping", "Online shop"}
    impactors = (await api.get("/business_services/impactors"))["impactors"]
    assert impactors == [{"id": made["id"], "type": "incident"}]
    service = (await api.get(f"/services/{api.service_id('Search')}"))["service"]
    assert service["status"] == "critical"
