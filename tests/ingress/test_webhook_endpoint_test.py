"""The test of a webhook: its whole way walked, each step told, nothing left behind."""

import asyncio
import html
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route
from temporalio.client import Client, WorkflowExecutionStatus

from bootstrap.store import OpenStore
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.webhooks import (
    evidence_store as webhook_evidence,
    management_store as webhook_management,
    store as webhooks,
)
from calmo_pagerduty.webhooks.delivery_steps import TITLE_OF_STEP, DeliveryStep
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from calmo_pagerduty.webhooks.synthetic_incidents import synthetic_event
from ingress.door import DoorParts
from ingress.webhooks.check_endpoints import WebhookTestEndpoints
from ingress.webhooks.end_to_end_check import WebhookEndToEndTest, WebhookTestStep
from ingress.webhooks.tls_probe import HostPort, NotDeliverable, check_tls
from pagerduty_simulator.rest.serving import running_server
from tests.support.builders import SECRET, an_event, body_of, headers_for, new_id
from tests.support.certificates import Chain, make_chain, tls_front
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.patience import PROGRAM
from tests.support.webhook_service import WebhookService, running_webhook_service

WHOLE_WAY = list(DeliveryStep)
#: What a webhook without a subscription at an address without TLS is not asked.
LEFT_OUT = (DeliveryStep.TLS, DeliveryStep.PING)
LEFT = (tables.issues, tables.timeline, tables.issue_changes, tables.deliveries, tables.delivery_bodies)


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[WebhookService]:
    async with running_webhook_service(parts) as found:
        yield found


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


async def walk(service: WebhookService, webhook_id: str, **means: Any) -> list[WebhookTestStep]:
    """Walk with other means than the service's own."""
    now = datetime.now(UTC)
    webhook = service.tools.database.read_blocking(
        lambda t: webhook_management.get_webhook(t, EVERYTHING, webhook_id, now)
    )
    assert webhook is not None
    return [step async for step in WebhookEndToEndTest(replace(service.means, **means), webhook).steps()]


def nothing_is_left(service: WebhookService) -> bool:
    return all(not rows(service.tools.database, table) for table in LEFT)


async def test_the_whole_way_is_walked_and_nothing_is_left(service: WebhookService, temporal: Client) -> None:
    made = await service.subscribed()
    told = await service.done("POST", f"/{made['id']}/test")
    steps = {step["name"]: step for step in told["steps"]}
    assert list(steps) == WHOLE_WAY
    assert told["ok"], told
    assert {name: step["ok"] for name, step in steps.items() if step["ok"] is not True} == {"tls": None}
    assert "http://" in steps["tls"]["words"]
    assert made["id"] not in str(told)
    [ping] = rows(service.tools.database, tables.deliveries)
    assert ping.event_type == EventType.PING
    for table in (tables.issues, tables.timeline, tables.issue_changes):
        assert rows(service.tools.database, table) == []
    found = [
        execution
        async for execution in temporal.list_workflows('WorkflowId STARTS_WITH "pd-incident:QCALMOTEST"')
        if made["connection_id"] in execution.id
    ]
    assert {execution.status for execution in found} <= {WorkflowExecutionStatus.TERMINATED}


async def test_the_whole_way_leads_through_a_door_with_a_journal(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    database, services = service.tools.database, service.ingress.services
    # The first delivery would go into the database, to arm the webhook.
    database.write_blocking(lambda t: webhooks.mark_armed(t, made["id"], datetime.now(UTC)))
    door = DoorParts(OpenStore(services.settings, database, services.keyring))
    taker = service.ingress.journal_taker
    assert taker is not None
    moving = asyncio.create_task(taker.run())
    try:
        async with running_server(door.app(), "127.0.0.1", 0) as url:
            steps = await walk(service, made["id"], public_address=url)
    finally:
        moving.cancel()
        await asyncio.wait([moving], timeout=PROGRAM)
    assert [step.name for step in steps if step.ok] == [step for step in WHOLE_WAY if step not in LEFT_OUT]


async def test_each_step_is_told_as_it_ends(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    headers = {**service.tools.headers, "Accept": "text/event-stream"}
    names: list[str] = []
    path = f"/api/webhooks/{made['id']}/test"
    async with service.http.stream("POST", path, json={}, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                names.append(line.split('"name":"')[1].split('"')[0])
                if names == ["address"]:
                    assert rows(service.tools.database, tables.webhooks)
    assert names == WHOLE_WAY
    assert nothing_is_left(service)


async def test_a_caller_who_goes_away_leaves_no_test_behind(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    headers = {**service.tools.headers, "Accept": "text/event-stream"}
    path = f"/api/webhooks/{made['id']}/test"
    async with service.http.stream("POST", path, json={}, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if '"name":"delivery"' in line:
                break

    async def is_clean() -> bool:
        return nothing_is_left(service)

    await eventually(is_clean)
    assert (await service.done("POST", f"/{made['id']}/test"))["ok"]


async def test_a_test_of_ours_neither_arms_nor_disarms(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    assert (await service.done("POST", f"/{made['id']}/test"))["ok"]
    assert (await service.done("GET", f"/{made['id']}"))["state"] == "unproven"
    body = body_of(an_event(EventType.PING, new_id()))
    await service.http.post(made["url"], content=body, headers=headers_for(body))
    assert (await service.done("POST", f"/{made['id']}/test"))["ok"]
    assert (await service.done("GET", f"/{made['id']}"))["state"] == "armed"


async def test_without_a_secret_or_paused_the_refusal_says_what_to_do(service: WebhookService) -> None:
    made = await service.make()
    refused = await service.ask("POST", f"/{made['id']}/test", {})
    assert refused.status_code == 409 and "secret" in refused.text
    await service.done("PUT", f"/{made['id']}/secret", {"secret": SECRET.decode()})
    await service.done("POST", f"/{made['id']}/pause")
    refused = await service.ask("POST", f"/{made['id']}/test", {})
    assert refused.status_code == 409 and "resume" in refused.text


async def test_an_address_that_nobody_answers_at_ends_the_walk(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    steps = await walk(service, made["id"], public_address=f"http://127.0.0.1:{free_port()}")
    assert [(step.name, step.ok) for step in steps] == [("address", False), ("cleaning", None)]
    assert "CALMO_PUBLIC_URL" in (steps[0].advice or "")
    steps = await walk(service, made["id"], public_address="https://no-such-host.invalid")
    assert "name is not known" in steps[0].words


@asynccontextmanager
async def a_stranger(answer: Any) -> AsyncIterator[str]:
    async def endpoint(_request: object) -> Any:
        return answer

    app = Starlette(routes=[Route("/{path:path}", endpoint, methods=["POST"])])
    async with running_server(app, "127.0.0.1", 0) as url:
        yield url


@pytest.mark.parametrize(
    ("answer", "word"),
    [(PlainTextResponse("hello"), "something else"), (RedirectResponse("http://127.0.0.1:1/"), "redirects")],
)
async def test_another_service_at_the_address_is_recognised(
    service: WebhookService, answer: Any, word: str
) -> None:
    made = await service.make(secret=SECRET.decode())
    async with a_stranger(answer) as url:
        steps = await walk(service, made["id"], public_address=url)
    failed = steps[2]
    assert (failed.name, failed.ok) == ("delivery", False) and word in failed.words
    assert nothing_is_left(service)


@pytest.mark.parametrize(
    ("verdict", "status", "step"),
    [("missing", 401, "signature"), ("dead_letter", 202, "parsing"), ("skipped_paused", 202, "inbox")],
)
async def test_the_verdict_names_the_very_step_and_those_before_it_passed(
    service: WebhookService, verdict: str, status: int, step: str
) -> None:
    made = await service.make(secret=SECRET.decode())
    async with a_stranger(JSONResponse({"verdict": verdict}, status)) as url:
        steps = await walk(service, made["id"], public_address=url)
    *passed, failed, _cleaning = steps
    assert (failed.name, failed.ok) == (step, False) and verdict in failed.words and failed.advice
    assert [found.name for found in (*passed, failed)] == WHOLE_WAY[: len(passed) + 1]
    assert all(found.ok is not False for found in passed)


async def test_the_dashboard_shows_each_step_and_where_the_walk_stops(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    http, origin = service.http, {"Origin": service.url}
    key = service.tools.headers["Authorization"].removeprefix("Bearer ")
    await http.post("/dashboard/sign-in/key", data={"key": key}, headers=origin)
    page = f"/dashboard/webhooks/{webhook_handle(made['id'])}"
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', (await http.get(page)).text)
    assert token is not None

    async def tested() -> str:
        answer = await http.post(f"{page}/test", data={"csrf": token[1]}, headers=origin)
        return html.unescape(answer.text)

    shown = await tested()
    assert "It works from end to end" in shown and "not reached" not in shown
    assert all(f"<b>{title}</b>" in shown for title in TITLE_OF_STEP.values())
    async with a_stranger(JSONResponse({"verdict": "missing"}, 401)) as elsewhere:
        service.ingress.webhook_tests = WebhookTestEndpoints(replace(service.means, public_address=elsewhere))
        shown = await tested()
    assert "It stops at “Signature checked”" in shown and "X-PagerDuty-Signature did not arrive" in shown
    assert shown.count("not reached") == len(DeliveryStep) - WHOLE_WAY.index(DeliveryStep.PARSING) - 1


async def test_without_a_worker_the_walk_says_so_and_leaves_nothing(parts: Parts) -> None:
    async with running_webhook_service(parts, working=False) as service:
        made = await service.make(secret=SECRET.decode())
        steps = {str(step.name): step for step in await walk(service, made["id"], step_seconds=1.5)}
        assert steps["workflow"].ok and steps["issue"].ok is False
        assert "none polls the task queue" in steps["issue"].words
        assert "worker" in (steps["issue"].advice or "")
        assert steps["cleaning"].ok and nothing_is_left(service)


async def test_what_a_cut_off_test_left_is_removed_later(service: WebhookService) -> None:
    made = await service.make(secret=SECRET.decode())
    incident = "QCALMOTESTLEFT"
    body = synthetic_event(EventType.TRIGGERED, new_id(), incident, datetime.now(UTC))
    await service.http.post(made["url"], content=body, headers=headers_for(body))
    sweeper = service.ingress.webhook_sweeper
    await sweeper.sweep_once(datetime.now(UTC))
    left = sa.select(sa.func.count()).where(tables.deliveries.c.incident_id == incident)
    assert service.tools.database.read_blocking(lambda t: t.execute(left).scalar()) == 1
    await sweeper.sweep_once(datetime.now(UTC) + timedelta(minutes=3))
    assert service.tools.database.read_blocking(lambda t: t.execute(left).scalar()) == 0


def test_only_test_incidents_are_ever_removed(database: Database) -> None:
    ref = IncidentRef(connection_id="con_a", incident_id="QREALINCIDENT")
    with pytest.raises(ValueError, match="no test incident"):
        database.write_blocking(lambda t: webhook_evidence.delete_test_incident(t, ref))


async def examined(context: ssl.SSLContext, trust: Callable[[], ssl.SSLContext]) -> str:
    async with tls_front(context) as port:
        return await check_tls(HostPort("127.0.0.1", port), trust)


def in_order(chain: Chain) -> Sequence[Any]:
    return (chain.server, *chain.between)


async def test_a_chain_in_order_is_good(chain: Chain, tmp_path: Path) -> None:
    assert "in order" in await examined(chain.serving(tmp_path, in_order(chain)), chain.trust)


async def test_a_chain_out_of_order_is_refused(chain: Chain, tmp_path: Path) -> None:
    second, first = chain.between
    with pytest.raises(NotDeliverable, match="order"):
        await examined(chain.serving(tmp_path, (chain.server, first, second)), chain.trust)


async def test_a_chain_with_a_gap_or_a_root_that_is_not_trusted_is_refused(
    chain: Chain, tmp_path: Path
) -> None:
    with pytest.raises(NotDeliverable, match="doesn't verify"):
        await examined(chain.serving(tmp_path, (chain.server,)), chain.trust)
    with pytest.raises(NotDeliverable, match="doesn't verify"):
        await examined(chain.serving(tmp_path, in_order(chain)), make_chain().trust)


async def test_a_server_that_speaks_tls_1_3_only_is_refused(chain: Chain, tmp_path: Path) -> None:
    context = chain.serving(tmp_path, in_order(chain))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises(NotDeliverable, match="only newer versions"):
        await examined(context, chain.trust)


async def test_a_server_that_speaks_no_tls_is_refused(chain: Chain, service: WebhookService) -> None:
    port = int(service.url.rsplit(":", 1)[1])
    with pytest.raises(NotDeliverable, match="breaks off"):
        await check_tls(HostPort("127.0.0.1", port), chain.trust)


async def test_the_way_through_tls_is_walked_too(
    service: WebhookService, chain: Chain, tmp_path: Path
) -> None:
    made = await service.make(secret=SECRET.decode())
    behind = int(service.url.rsplit(":", 1)[1])
    async with tls_front(chain.serving(tmp_path, in_order(chain)), behind) as port:
        steps = await walk(service, made["id"], public_address=f"https://127.0.0.1:{port}", trust=chain.trust)
    assert [step.name for step in steps] == WHOLE_WAY
    assert {step.ok for step in steps if step.name != "ping"} == {True}, steps
    assert nothing_is_left(service)
