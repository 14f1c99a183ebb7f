"""The door's contract, the rows that are refused: never a 4xx for what may be genuine."""

import hashlib
import logging
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.group_writer import MAX_BATCH
from calmo_pagerduty.deliveries import refusal_store as refusals
from calmo_pagerduty.deliveries.model import MAX_BODY_BYTES, RESPONSE_OF_VERDICT, Verdict
from calmo_pagerduty.pagerduty.event_types import EventType
from ingress.webhook_receiver.receiver import MAX_PENDING_WRITES
from tests.support.builders import SECRET, an_event, body_of, headers_for, new_id, signature_of
from tests.support.doors import Doorway, days, open_doorway

FORGED = {"X-PagerDuty-Signature": "v1=" + "0" * 64}


def a_body() -> bytes:
    return body_of(an_event(EventType.TRIGGERED, new_id()))


@pytest.mark.parametrize("webhook_id", ["wh_" + "a" * 32, "wh_short", "WH_" + "A" * 32, "%00", "é"])
async def test_an_unknown_webhook_is_404_and_only_counted(doorway: Doorway, webhook_id: str) -> None:
    answer = await doorway.post(webhook_id, a_body())
    assert (answer.status_code, answer.json()) == (404, {"verdict": "unknown_webhook"})
    assert (list(doorway.kept()), list(doorway.refused())) == ([], [])
    assert doorway.counted("unknown_webhook") == 1


@pytest.mark.each_database
async def test_a_webhook_deleted_by_its_owner_is_410_even_for_good_signatures(doorway: Doorway) -> None:
    webhook = doorway.a_webhook(deleted_at=datetime.now(UTC))
    answer = await doorway.post(webhook, a_body())
    assert (answer.status_code, answer.json()) == (410, {"verdict": "deleted_webhook"})
    assert list(doorway.kept()) == []
    assert doorway.counted("deleted_webhook") == 1


@pytest.mark.each_database
async def test_a_missing_signature_is_401_on_an_armed_webhook(doorway: Doorway) -> None:
    webhook, body = doorway.a_webhook(), a_body()
    answer = await doorway.post(webhook, body, {})
    assert (answer.status_code, answer.json()) == (401, {"verdict": "missing"})
    [row] = doorway.refused()
    assert (row.webhook_id, row.verdict, row.reason, row.status) == (webhook, "missing", "missing", 401)
    assert (row.body_bytes, row.body_sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert list(doorway.kept()) == []
    assert doorway.counted("missing") == 1


async def test_a_legacy_payload_is_401_and_named_so(doorway: Doorway) -> None:
    answer = await doorway.post(doorway.a_webhook(), b'{"messages": [{"event": "incident.trigger"}]}', {})
    assert (answer.status_code, answer.json()) == (401, {"verdict": "legacy"})
    assert [row.verdict for row in doorway.refused()] == ["legacy"]
    assert doorway.counted("legacy") == 1


@pytest.mark.each_database
@pytest.mark.parametrize("headers", [{}, FORGED, {"X-PagerDuty-Signature": "v2=00"}])
async def test_nothing_unauthenticated_is_dropped_or_stored_before_the_webhook_is_armed(
    doorway: Doorway, headers: dict[str, str]
) -> None:
    webhook = doorway.a_webhook(armed=False)
    answer = await doorway.post(webhook, a_body(), headers)
    assert (answer.status_code, answer.json()) == (503, {"verdict": "unproven"})
    assert int(answer.headers["Retry-After"]) > 0
    assert [(row.verdict, row.status) for row in doorway.refused()] == [("unproven", 503)]
    assert list(doorway.kept()) == []
    assert doorway.counted("unproven") == 1


@pytest.mark.each_database
async def test_an_unknown_scheme_is_refused_like_a_mismatch(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    answers = [await doorway.post(webhook, a_body(), {"X-PagerDuty-Signature": "v2=ab"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 503]
    assert [row.verdict for row in doorway.refused()] == ["unsupported_scheme"] * 2 + ["guarded"]
    assert doorway.counted("unsupported_scheme") == 2


@pytest.mark.each_database
async def test_a_mismatch_is_401_and_the_expected_signature_is_told_to_nobody(
    doorway: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    webhook, body = doorway.a_webhook(), a_body()
    with caplog.at_level(logging.DEBUG):
        answer = await doorway.post(webhook, body, FORGED)
    assert (answer.status_code, answer.json()) == (401, {"verdict": "mismatch"})
    [row] = doorway.refused()
    assert (row.verdict, row.reason, row.status) == ("mismatch", "mismatch", 401)
    expected = signature_of(body).removeprefix("v1=")
    metrics = generate_latest(doorway.ingress.metrics.registry).decode()
    for told in (answer.text, str(answer.headers), str(row), caplog.text, metrics):
        assert expected not in told
        assert SECRET.decode() not in told
    assert doorway.alarms("mismatch") == 1


@pytest.mark.each_database
async def test_after_two_mismatches_the_next_are_asked_to_come_back(
    doorway: Doorway, caplog: pytest.LogCaptureFixture
) -> None:
    webhook = doorway.a_webhook()
    statuses = []
    for _ in range(4):
        statuses.append((await doorway.post(webhook, a_body(), FORGED)).status_code)
        # A good delivery in between does not reset the count: two subscriptions may share an address.
        assert (await doorway.post(webhook, a_body())).status_code == 202
    assert statuses == [401, 401, 503, 503]
    assert doorway.counted("guarded") == 2
    assert doorway.alarms("guarded") == 2
    # Anybody can send more: the log tells the first of each kind, the metrics count them.
    alarms = [vars(record)["verdict"] for record in caplog.records if record.message == "delivery_alarm"]
    assert alarms == ["mismatch", "guarded"]
    assert len(doorway.kept()) == 4


async def test_a_signature_that_a_proxy_strips_is_guarded_like_a_mismatch(doorway: Doorway) -> None:
    """Three 401s in a row would switch PagerDuty's subscription off for a day."""
    webhook, stripped = doorway.a_webhook(), {"User-Agent": "PagerDuty-Webhook/V3.0"}
    statuses = [(await doorway.post(webhook, a_body(), stripped)).status_code for _ in range(4)]
    assert statuses == [401, 401, 503, 503]
    assert [(row.verdict, row.reason) for row in doorway.refused()][:2] == [("mismatch", "missing")] * 2
    assert (await doorway.post(webhook, a_body(), {})).json() == {"verdict": "missing"}
    assert (await doorway.post(webhook, a_body())).status_code == 202


async def test_the_guard_is_of_one_webhook_alone(doorway: Doorway) -> None:
    guarded, other = doorway.a_webhook(), doorway.a_webhook()
    for _ in range(3):
        await doorway.post(guarded, a_body(), FORGED)
    assert (await doorway.post(other, a_body(), FORGED)).status_code == 401


async def test_a_guarded_webhook_still_names_what_is_not_signed_at_all(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    for _ in range(3):
        await doorway.post(webhook, a_body(), FORGED)
    answer = await doorway.post(webhook, a_body(), {})
    assert (answer.status_code, answer.json()) == (401, {"verdict": "missing"})


@pytest.mark.each_database
async def test_mismatches_of_yesterday_are_forgiven(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    yesterday = datetime.now(UTC) - days(1.01)
    for _ in range(2):
        doorway.database.write_blocking(
            lambda c: refusals.insert_refusal(c, webhook, yesterday, Verdict.MISMATCH, "mismatch", 1, "00")
        )
    assert (await doorway.post(webhook, a_body(), FORGED)).status_code == 401


async def test_a_flood_of_forgeries_leaves_a_bounded_trail(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    for _ in range(60):
        await doorway.post(webhook, a_body(), {})
    assert doorway.counted("missing") == 60
    assert 1 <= len(doorway.refused()) <= 25


async def test_more_signatures_than_pagerduty_sends_are_not_looked_at(doorway: Doorway) -> None:
    body = a_body()
    header = ",".join([*(f"v1={number:064x}" for number in range(8)), signature_of(body)])
    answer = await doorway.post(doorway.a_webhook(), body, {"X-PagerDuty-Signature": header})
    assert answer.status_code == 401


@pytest.mark.each_database
async def test_a_webhook_without_a_secret_asks_pagerduty_to_hold(doorway: Doorway) -> None:
    answer = await doorway.post(doorway.a_webhook(secret=None), a_body())
    assert (answer.status_code, answer.json()) == (503, {"verdict": "no_secret"})
    assert "Retry-After" in answer.headers
    assert (list(doorway.kept()), list(doorway.refused())) == ([], [])
    assert doorway.counted("no_secret") == 1


@pytest.mark.each_database
async def test_an_expired_secret_no_longer_counts(doorway: Doorway) -> None:
    webhook, past = doorway.a_webhook(), datetime.now(UTC) - days(0.01)
    expire = sa.update(tables.webhook_secrets).values(expires_at=past)
    doorway.database.write_blocking(lambda c: c.execute(expire))
    answer = await doorway.post(webhook, a_body())
    assert (answer.status_code, answer.json()) == (503, {"verdict": "no_secret"})


@pytest.mark.parametrize("declared", [MAX_BODY_BYTES + 1, 10**15])
async def test_a_body_declared_too_large_is_not_read(doorway: Doorway, declared: int) -> None:
    headers = {**FORGED, "Content-Length": str(declared)}
    answer = await doorway.post(doorway.a_webhook(), b"", headers)
    assert (answer.status_code, answer.json()) == (413, {"verdict": "too_large"})
    assert answer.headers["Connection"] == "close"
    assert list(doorway.kept()) == []
    assert doorway.counted("too_large") == 1


async def test_a_declared_length_that_is_no_number_is_no_fault_of_ours(doorway: Doorway) -> None:
    body = a_body()
    headers = [(name.encode(), value.encode()) for name, value in headers_for(body).items()]
    request = doorway.client.build_request(
        "POST", f"/webhooks/pagerduty/{doorway.a_webhook()}", content=body, headers=headers
    )
    request.headers = httpx.Headers([*headers, (b"Content-Length", "\N{SUPERSCRIPT TWO}".encode("latin-1"))])
    assert (await doorway.client.send(request)).status_code == 202


async def test_a_sender_above_its_rate_is_asked_to_come_back(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    async with open_doorway(database, keyring, tmp_path, webhook_rate=0.001, webhook_burst=2) as doorway:
        loud, quiet = doorway.a_webhook(), doorway.a_webhook(scope="organization:other")
        of_the_same_account = doorway.a_webhook()
        answers = [await doorway.post(webhook, a_body()) for webhook in (loud, of_the_same_account, loud)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert "Retry-After" in answers[2].headers
        assert (await doorway.post(quiet, a_body())).status_code == 202
        assert doorway.counted("overloaded") == 1
        assert len(doorway.kept()) == 3


async def test_while_shutting_down_a_delivery_is_sent_elsewhere(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    doorway.ingress.close()
    answer = await doorway.post(webhook, a_body())
    assert (answer.status_code, answer.json()) == (503, {"verdict": "shutting_down"})
    assert answer.headers["Connection"] == "close"
    assert list(doorway.kept()) == []
    assert doorway.counted("shutting_down") == 1


def test_every_verdict_has_an_answer_and_none_is_a_redirect() -> None:
    assert set(RESPONSE_OF_VERDICT) == set(Verdict)
    assert {answer.status for answer in RESPONSE_OF_VERDICT.values()} == {202, 401, 404, 410, 413, 429, 503}


def test_the_bound_of_waiting_deliveries_is_above_one_commit() -> None:
    assert MAX_PENDING_WRITES > MAX_BATCH
