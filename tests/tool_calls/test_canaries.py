"""Secrets and personal data sent through every path are found where they belong, and nowhere else."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from temporalio.client import Client

from calmo_pagerduty.db.tables import tool_calls
from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
from pagerduty_simulator.rest.faults import Faults
from tests.support.builders import an_event, body_of, headers_for
from tests.support.doors import make_webhook
from tests.support.patience import ANSWER
from tests.support.system import System

SIGNING_SECRET = b"CANARY-signing-secret-0123456789"
TOKEN = "CANARY-pagerduty-token-0123456789"
SECRETS = ("CANARY-signing-secret", "CANARY-pagerduty-token")
TEXTS = ("CANARY-title", "CANARY-note", "CANARY-person", "canary@example.org", "+491700000000")


def everything_logged(records: list[logging.LogRecord]) -> str:
    """Return all that the log records hold: messages, extras, exceptions."""
    plain = logging.Formatter()
    return "\n".join(
        f"{plain.format(record)} {sorted((k, repr(v)) for k, v in vars(record).items())}"
        for record in records
    )


async def sent_through_every_path(service: System) -> list[str]:
    """Send canaries everywhere, faults included; returns the answers' texts."""
    answers: list[str] = []

    async def ask(method: str, path: str, **options: Any) -> Any:
        answer = await service.http.request(
            method, path, headers=options.pop("headers", service.headers), timeout=ANSWER, **options
        )
        answers.append(answer.text)
        return answer

    service.site.add_token(TOKEN)
    made = await ask(
        "POST",
        "/api/connections",
        json={
            "name": "Ours",
            "scope": "organization:acme",
            "region": "simulator",
            "token": TOKEN,
            "from_address": "canary@example.org",
        },
    )
    mine = made.json()["id"]
    await ask("POST", f"/api/connections/{mine}/test", json={})
    await ask("POST", f"/api/connections/{mine}/token", json={"token": TOKEN})
    await ask("POST", "/api/connections", json={"name": 5, "scope": "x", "token": TOKEN})
    for kind in ("500", "429", "cut", "timeout", "html_error", "unauthorized"):
        service.site.faults = Faults(hang_seconds=0.05)
        try:
            service.site.faults.fail_next(kind)
        except ValueError:
            continue
        body = {"connection": mine, "arguments": {"statuses": ["triggered"]}, "wait_seconds": 20}
        await ask("POST", "/api/tools/list_incidents", json=body)
    service.site.faults = Faults()
    incident = service.an_incident("CANARY-title")
    note = {"incident_id": incident, "content": "CANARY-note +491700000000"}
    person = service.a_key(person="CANARY-person")
    await ask(
        "POST",
        "/api/tools/add_incident_note",
        headers=person,
        json={"connection": service.connection_id, "arguments": note},
    )
    await ask(
        "POST",
        "/api/tools/add_incident_note",
        headers=person,
        json={"connection": service.connection_id, "arguments": {**note, "incident_id": "QNOWHERE"}},
    )
    await ask("POST", "/api/tools/add_incident_note", json={"arguments": {"content": "CANARY-note"}})
    await deliver(service, ask)
    await ask("GET", "/api/tool-calls")
    await ask("GET", "/api/audit")
    return answers


async def deliver(service: System, ask: Any) -> None:
    """Deliver well signed, badly signed and broken bodies to a webhook of ours."""
    webhook = make_webhook(service.database, service.ingress.services.keyring, secret=SIGNING_SECRET)
    event = an_event("incident.triggered", "QCANARY", title="CANARY-title")
    path = f"/webhooks/pagerduty/{webhook}"
    for body in (body_of(event), b'{"event": CANARY-title', b"[" * 5000):
        await ask("POST", path, content=body, headers=headers_for(body, SIGNING_SECRET))
        await ask("POST", path, content=body, headers=headers_for(body, b"another"))


async def test_secrets_stay_sealed_and_texts_stay_in_the_database(
    service: System, temporal: Client, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.INFO)
    answers = await sent_through_every_path(service)
    logged = everything_logged(caplog.records)
    metrics = (await service.http.get("/metrics", headers=service.headers)).text
    histories = await all_histories(service, temporal)
    assert histories.count("EVENT_TYPE_WORKFLOW_EXECUTION_STARTED") >= 2
    for canary in (*SECRETS, *TEXTS):
        assert canary not in logged, canary
        assert canary not in metrics, canary
        assert canary not in histories, canary
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("calmo.db*"))  # noqa: ASYNC240 - what a test reads once
    assert b"CANARY-title" in stored
    for canary in SECRETS:
        assert canary.encode() not in stored, canary
        assert not [text for text in answers if canary in text], canary


async def all_histories(service: System, temporal: Client) -> str:
    calls = await service.database.read(lambda t: t.execute(sa.select(tool_calls)).all())
    found = []
    for call in calls:
        handle = temporal.get_workflow_handle(tool_call_workflow_id(call.connection_id, call.id))
        found.append((await handle.fetch_history()).to_json())
    return json.dumps(found)
