"""The validation wizard: whether deliveries verify, and if not, the one reason why."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.db import tables
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.webhooks.signature_diagnosis import diagnose
from calmo_pagerduty.webhooks.synthetic_incidents import synthetic_event
from calmo_pagerduty.webhooks.validation import ValidationOutcome
from tests.support.builders import NOON, an_event, body_of, headers_for, new_id, signature_of
from tests.support.doors import Doorway, rows, save_pending
from tests.support.webhook_desk import OTHER_SECRET, SECRET, Desk, Json, a_desk

LIVE = ((1, SECRET.encode()),)
BODY = json.dumps(
    {"event": {"id": "1", "title": "Zürich <&>"}}, separators=(",", ":"), ensure_ascii=False
).encode()


def signed(body: bytes, secret: str = SECRET) -> bytes:
    return signature_of(body, secret.encode()).encode()


async def says(desk: Desk, webhook: Json, **sample: str) -> Json:
    return await desk.done("POST", webhook, "/validation", sample)


@pytest.mark.each_database
async def test_it_says_at_each_stage_what_is_missing(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make()
    assert (await says(desk, made))["finding"] == "no_secret"
    await desk.done("PUT", made, "/secret", {"secret": SECRET})
    assert (await says(desk, made))["finding"] == "nothing_yet"
    await desk.deliver(made, None)
    assert (await says(desk, made))["finding"] == "header_missing"
    await desk.deliver(made, OTHER_SECRET)
    found = await says(desk, made)
    assert found["finding"] == "other_secret" and not found["proven"]
    await desk.deliver(made, SECRET, EventType.PING)
    proven = await says(desk, made)
    assert proven["proven"] and proven["state"] == "armed" and "pagey.ping" in proven["words"]
    await desk.deliver(made, OTHER_SECRET)
    assert "another subscription" in (await says(desk, made))["words"]
    for said in (found, proven):
        assert SECRET not in str(said) and made["id"] not in str(said)


async def test_an_unknown_scheme_and_an_old_webhook_are_told_apart(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    body = body_of({"messages": [{"event": "incident.trigger"}]})
    headers = headers_for(body) | {"X-PagerDuty-Signature": "v2=abc"}
    await doorway.post(made["id"], body, headers)
    assert (await says(desk, made))["finding"] == "unsupported_scheme"
    await desk.deliver(made)
    await desk.done("PUT", made, "/secret", {"secret": OTHER_SECRET})
    await doorway.post(made["id"], body, {})
    assert (await says(desk, made))["finding"] == "old_generation"


async def test_what_came_before_the_new_secret_does_not_count(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    await desk.deliver(made)
    await desk.deliver(made, OTHER_SECRET)
    await desk.done("PUT", made, "/secret", {"secret": OTHER_SECRET})
    assert (await says(desk, made))["finding"] == "nothing_yet"
    await desk.deliver(made, SECRET)
    assert (await says(desk, made))["finding"] == "old_secret"
    await desk.deliver(made, OTHER_SECRET)
    assert (await says(desk, made))["proven"]


@pytest.mark.each_database
async def test_our_own_test_deliveries_prove_nothing_and_are_removed(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    body = synthetic_event(EventType.TRIGGERED, new_id(), "QCALMOTEST1", NOON)
    answer = await doorway.post(made["id"], body, headers_for(body, SECRET.encode()))
    assert answer.status_code == 202
    assert (await says(desk, made))["finding"] == "nothing_yet"
    save_pending(doorway.database)
    assert len(rows(doorway.database, tables.issues)) == 1
    await desk.deliver(made)
    await doorway.ingress.webhook_sweeper.sweep_once(datetime.now(UTC) + timedelta(minutes=3))
    assert [row.incident_id == "QCALMOTEST1" for row in doorway.kept()] == [False]
    assert rows(doorway.database, tables.issues) == []


async def test_a_sample_is_judged_by_its_bytes(doorway: Doorway) -> None:
    desk = a_desk(doorway)
    made = await desk.make(secret=SECRET)
    body = body_of(an_event(EventType.TRIGGERED, new_id()))
    as_text = {"body": body.decode(), "signature": signed(body).decode()}
    as_bytes = {"body_base64": base64.b64encode(body).decode(), "signature": signed(body).decode()}
    for sample in (as_text, as_bytes):
        assert (await says(desk, made, **sample))["proven"]
    wrong = await says(desk, made, **{**as_text, "signature": signed(body, OTHER_SECRET).decode()})
    assert wrong["finding"] == "other_secret"
    expected = signed(body).decode().removeprefix("v1=")
    assert expected not in str(wrong), "the right signature is never told"
    bad = await desk.ask("POST", f"/{made['id']}/validation", {"body_base64": "%%"})
    assert bad.status_code == 400 and "base64" in bad.text
    assert (await desk.shown(made))["state"] == "unproven", "a sample arms nothing"


@pytest.mark.parametrize(
    ("arrived", "word"),
    [
        (BODY + b"\n", "white space"),
        (b" " + BODY, "white space"),
        (json.dumps(json.loads(BODY), ensure_ascii=False).encode(), "written again"),
        (json.dumps(json.loads(BODY), indent=2).encode(), "written again"),
        (b"\xef\xbb\xbf" + BODY, "byte-order"),
    ],
)
def test_a_body_that_was_altered_on_its_way_is_recognised(arrived: bytes, word: str) -> None:
    found = diagnose(arrived, signed(BODY), LIVE)
    assert found.proof is ValidationOutcome.BODY_ALTERED and word in found.text


@pytest.mark.parametrize("sent", [BODY + b"\n", b'{\r\n"a":1}', b'{\n"a":1}', b'{"a": 1, "b": "\\u00fc"}'])
def test_what_was_taken_away_is_recognised_too(sent: bytes) -> None:
    altered = {
        BODY + b"\n": BODY,
        b'{\r\n"a":1}': b'{\n"a":1}',
        b'{\n"a":1}': b'{\r\n"a":1}',
        b'{"a": 1, "b": "\\u00fc"}': '{"a":1,"b":"ü"}'.encode(),
    }[sent]
    assert diagnose(altered, signed(sent), LIVE).proof is ValidationOutcome.BODY_ALTERED


@pytest.mark.parametrize(
    ("body", "header", "proof"),
    [
        (BODY, signed(BODY), ValidationOutcome.PROVEN),
        (BODY, signed(BODY, OTHER_SECRET) + b"," + signed(BODY), ValidationOutcome.PROVEN),
        (BODY, signed(BODY).upper(), ValidationOutcome.SIGNATURE_ALTERED),
        (BODY, b'"' + signed(BODY) + b'"', ValidationOutcome.SIGNATURE_ALTERED),
        (BODY, None, ValidationOutcome.HEADER_MISSING),
        (BODY, b"", ValidationOutcome.HEADER_MISSING),
        (BODY, b"v2=00", ValidationOutcome.UNSUPPORTED_SCHEME),
        (b'{"messages": []}', None, ValidationOutcome.OLD_GENERATION),
        (BODY, signed(BODY, OTHER_SECRET), ValidationOutcome.OTHER_SECRET),
        pytest.param(b"[" * 100_000, signed(BODY), ValidationOutcome.OTHER_SECRET, id="nested too deeply"),
        (b"\xff", b"v1=\xff", ValidationOutcome.OTHER_SECRET),
    ],
)
def test_each_sample_gets_one_finding(body: bytes, header: bytes | None, proof: ValidationOutcome) -> None:
    assert diagnose(body, header, LIVE).proof is proof


def test_without_a_secret_nothing_can_be_said() -> None:
    assert diagnose(BODY, signed(BODY), ()).proof is ValidationOutcome.NO_SECRET
