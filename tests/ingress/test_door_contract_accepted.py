"""The door's contract, the rows that are answered 202: what is kept of each genuine delivery."""

import json
from datetime import UTC, datetime

import pytest

from calmo_pagerduty.db import tables
from calmo_pagerduty.deliveries.event_facts import MAX_AHEAD, MAX_TEAMS
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.webhooks import store as webhooks
from tests.support.builders import (
    SECRET,
    a_note,
    a_reference,
    an_event,
    body_of,
    headers_for,
    incident_data,
    minutes,
    new_id,
    signature_of,
)
from tests.support.doors import Doorway, days, rows

OTHER_SECRET = b"the-next-signing-secret"


@pytest.mark.each_database
async def test_a_good_delivery_is_committed_before_it_is_answered_202(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    incident = new_id()
    body = body_of(an_event(EventType.TRIGGERED, incident, event_id="01GOOD"))
    answer = await doorway.post(webhook, body)
    assert (answer.status_code, answer.json()) == (202, {"verdict": "accepted"})
    [row] = doorway.kept()
    assert (row.state, row.verdict, row.remarks, row.duplicates) == ("pending", "accepted", "", 0)
    assert (row.event_id, row.event_type, row.incident_id) == ("01GOOD", "incident.triggered", incident)
    assert (row.webhook_id, row.body, row.secret_version) == (webhook, body, 1)
    assert doorway.counted("accepted") == 1


@pytest.mark.each_database
async def test_a_duplicate_is_counted_on_its_first_row(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    body = body_of(an_event(EventType.TRIGGERED, new_id()))
    answers = [await doorway.post(webhook, body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [answer.json()["verdict"] for answer in answers] == ["accepted", "duplicate", "duplicate"]
    [row] = doorway.kept()
    assert (row.state, row.duplicates) == ("pending", 2)
    assert doorway.counted("duplicate") == 2


@pytest.mark.each_database
async def test_the_same_event_through_two_webhooks_is_kept_of_each(doorway: Doorway) -> None:
    first, second = doorway.a_webhook(), doorway.a_webhook()
    body = body_of(an_event(EventType.TRIGGERED, new_id()))
    answers = [await doorway.post(webhook, body) for webhook in (first, second)]
    assert [answer.json()["verdict"] for answer in answers] == ["accepted", "accepted"]
    assert [row.webhook_id for row in doorway.kept()] == [first, second]


@pytest.mark.each_database
async def test_an_altered_body_under_a_known_event_id_is_kept_apart(
    doorway: Doorway,
) -> None:
    webhook, incident = doorway.a_webhook(), new_id()
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, incident, event_id="01SAME"))
    altered = an_event(EventType.RESOLVED, incident, event_id="01SAME")
    answers = [await doorway.deliver(webhook, altered) for _ in range(2)]
    assert [(each.status_code, each.json()["verdict"]) for each in answers] == [(202, "conflict")] * 2
    first, conflict = doorway.kept()
    assert (first.state, first.event_type, first.duplicates) == ("pending", "incident.triggered", 0)
    assert (conflict.state, conflict.verdict) == ("conflict", "conflict")
    assert conflict.body == body_of(altered)
    assert doorway.alarms("conflict") == 2


@pytest.mark.each_database
async def test_a_paused_webhook_keeps_the_body_without_applying_it(doorway: Doorway) -> None:
    webhook = doorway.a_webhook(paused_at=datetime.now(UTC))
    payload = an_event(EventType.TRIGGERED, new_id())
    answer = await doorway.deliver(webhook, payload)
    assert (answer.status_code, answer.json()) == (202, {"verdict": "skipped_paused"})
    [row] = doorway.kept()
    assert (row.state, row.verdict, row.body) == ("skipped_paused", "skipped_paused", body_of(payload))
    assert row.facts is not None
    assert doorway.counted("skipped_paused") == 1


@pytest.mark.parametrize("kilobytes", [56, 255, 500])
async def test_a_body_above_the_guaranteed_size_is_taken_as_best_effort(
    doorway: Doorway, kilobytes: int
) -> None:
    payload = a_note(new_id(), content="x" * kilobytes * 1024)
    answer = await doorway.deliver(doorway.a_webhook(), payload)
    assert answer.status_code == 202
    [row] = doorway.kept()
    assert (row.state, row.remarks, row.body) == ("pending", "best_effort", body_of(payload))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"event": {"id": 1' + b"0" * 5000 + b"}}", "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[]", "no event.id"),
        (b'{"event": {"event_type": "incident.triggered"}}', "no event.id"),
        (b'{"event": {"id": "01NOTYPE"}}', "event.event_type"),
        (b'{"event": {"id": {}, "event_type": []}}', "no event.id"),
    ],
)
async def test_a_signed_body_that_is_no_event_becomes_a_dead_letter(
    doorway: Doorway, body: bytes, reason: str
) -> None:
    webhook = doorway.a_webhook()
    answers = [await doorway.post(webhook, body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert [answer.json()["verdict"] for answer in answers] == ["dead_letter", "duplicate"]
    [row] = doorway.kept()
    assert (row.state, row.verdict, row.body, row.duplicates) == ("dead_letter", "dead_letter", body, 1)
    assert reason in row.reason
    assert doorway.alarms("dead_letter") == 1


@pytest.mark.each_database
async def test_nul_and_lone_surrogates_are_taken_by_every_database(doorway: Doorway) -> None:
    data = incident_data(new_id(), title="a\x00b\ud800c", urgency="\x00", priority={"summary": "\udfff"})
    payload = an_event(EventType.TRIGGERED, "", event_id="01\x00\ud800", data=data)
    answer = await doorway.deliver(doorway.a_webhook(), payload, **{"X-Webhook-Id": "\x7f"})
    assert (answer.status_code, answer.json()["verdict"]) == (202, "accepted")
    [row] = doorway.kept()
    assert (row.state, row.body) == ("pending", body_of(payload))
    assert "\x00" not in row.event_id


@pytest.mark.each_database
async def test_an_event_of_a_type_added_later_is_taken_and_noted(doorway: Doorway) -> None:
    incident = new_id()
    payload = an_event(EventType.TRIGGERED, incident)
    payload["event"]["event_type"] = "incident.teleported"
    payload["event"]["data"]["teleporter"] = {"new": ["field"]}
    answer = await doorway.deliver(doorway.a_webhook(), payload)
    assert answer.status_code == 202
    [row] = doorway.kept()
    assert (row.state, row.remarks, row.incident_id) == ("pending", "unknown_type", incident)


@pytest.mark.each_database
async def test_an_incident_without_an_issue_is_taken_whatever_its_first_event_is(doorway: Doorway) -> None:
    incident = new_id()
    answer = await doorway.deliver(doorway.a_webhook(), a_note(incident))
    assert answer.status_code == 202
    [row] = doorway.kept()
    assert (row.state, row.incident_id) == ("pending", incident)


@pytest.mark.each_database
async def test_a_ping_proves_the_secret_and_arms_the_webhook(doorway: Doorway) -> None:
    webhook = doorway.a_webhook(armed=False)
    ping = {
        "event": {
            "id": "01PING",
            "event_type": "pagey.ping",
            "resource_type": "pagey",
            "data": {"type": "ping", "message": "Hello"},
        }
    }
    answer = await doorway.deliver(webhook, ping)
    assert answer.status_code == 202
    [row] = doorway.kept()
    assert (row.state, row.remarks, row.incident_id) == ("recorded", "ping", None)
    assert rows(doorway.database, tables.webhooks)[0].armed_at is not None
    forged = await doorway.post(webhook, b"{}", {"X-PagerDuty-Signature": "v1=00"})
    assert forged.status_code == 401


async def test_an_event_about_a_service_is_recorded_without_an_incident(doorway: Doorway) -> None:
    data = a_reference("service", "PSERVICE1", "Basket") | {"type": "service"}
    payload = an_event(EventType.SERVICE_CREATED, "", data=data)
    answer = await doorway.deliver(doorway.a_webhook(), payload)
    assert answer.status_code == 202
    [row] = doorway.kept()
    assert (row.state, row.incident_id) == ("recorded", None)


@pytest.mark.each_database
async def test_a_signature_by_either_live_secret_is_good_and_the_version_is_kept(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    now = datetime.now(UTC)
    doorway.database.write_blocking(
        lambda c: webhooks.insert_secret(c, doorway.keyring, webhook, OTHER_SECRET, now)
    )
    for secret in (SECRET, OTHER_SECRET):
        body = body_of(an_event(EventType.TRIGGERED, new_id()))
        assert (await doorway.post(webhook, body, headers_for(body, secret))).status_code == 202
    assert [row.secret_version for row in doorway.kept()] == [1, 2]


async def test_one_good_signature_among_several_suffices(doorway: Doorway) -> None:
    body = body_of(an_event(EventType.TRIGGERED, new_id()))
    wrong = [f"v1={number:064x}" for number in range(7)]
    header = " , ".join([*wrong, signature_of(body)])
    answer = await doorway.post(doorway.a_webhook(), body, {"X-PagerDuty-Signature": header})
    assert answer.status_code == 202


async def test_no_clock_refuses_a_delivery(doorway: Doorway) -> None:
    webhook, now = doorway.a_webhook(), datetime.now(UTC)
    for at in (now - minutes(59), now + minutes(59), now + days(4000)):
        answer = await doorway.deliver(webhook, an_event(EventType.TRIGGERED, new_id(), at=at))
        assert answer.status_code == 202
    assert [(row.state, row.remarks) for row in doorway.kept()] == [("pending", "")] * 3


@pytest.mark.each_database
async def test_an_unreadable_time_does_not_cost_the_event(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    for odd in (None, 7, "yesterday", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00"):
        payload = an_event(EventType.TRIGGERED, new_id())
        payload["event"]["occurred_at"] = odd
        assert (await doorway.deliver(webhook, payload)).status_code == 202
    assert {(row.state, row.occurred_at) for row in doorway.kept()} == {("pending", None)}


async def test_an_event_older_than_three_days_is_taken_as_stale(doorway: Doorway) -> None:
    webhook, now = doorway.a_webhook(), datetime.now(UTC)
    for age in (days(2.9), days(3.1)):
        await doorway.deliver(webhook, an_event(EventType.TRIGGERED, new_id(), at=now - age))
    recent, stale = doorway.kept()
    assert (recent.remarks, stale.remarks) == ("", "stale")
    shown = [json.loads(row.facts).get("shows_incident", False) for row in (recent, stale)]
    assert shown == [True, False], "a stale event joins the timeline and changes nothing else"


async def test_a_time_in_the_future_is_believed_for_some_minutes_only(doorway: Doorway) -> None:
    webhook, before = doorway.a_webhook(), datetime.now(UTC)
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, new_id(), at=before + days(27_000)))
    [row] = doorway.kept()
    told = datetime.fromisoformat(json.loads(row.facts)["occurred_at"])
    assert before < told <= datetime.now(UTC) + MAX_AHEAD


async def test_only_plausible_ids_and_few_teams_travel_to_the_workflow(doorway: Doorway) -> None:
    teams = [{"id": "\U0001f525" * 150, "type": "team_reference"}]
    teams += [{"id": f"PTEAM{number}", "type": "team_reference"} for number in range(90)]
    service = {"id": "x" * 150, "type": "service_reference"}
    payload = an_event(EventType.TRIGGERED, new_id(), teams=teams, service=service)
    await doorway.deliver(doorway.a_webhook(), payload)
    facts = json.loads(doorway.kept()[0].facts)
    assert facts["service_id"] is None
    assert facts["team_ids"] == [f"PTEAM{number}" for number in range(MAX_TEAMS)]


@pytest.mark.each_database
async def test_a_replay_under_a_new_delivery_id_changes_nothing(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    payload = an_event(EventType.TRIGGERED, new_id())
    for delivery_id in ("delivery-1", "delivery-2"):
        await doorway.deliver(webhook, payload, **{"X-Webhook-Id": delivery_id})
    [row] = doorway.kept()
    assert (row.delivery_id, row.duplicates) == ("delivery-1", 1)


async def test_two_events_under_one_delivery_id_are_both_kept(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    for _ in range(2):
        payload = an_event(EventType.TRIGGERED, new_id())
        await doorway.deliver(webhook, payload, **{"X-Webhook-Id": "delivery-1"})
    assert [row.verdict for row in doorway.kept()] == ["accepted", "accepted"]
