"""`python -m pagerduty_simulator serve` as a process."""

import asyncio
import contextlib
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from pagerduty_simulator.rest_api import AccountSite
from pagerduty_simulator.serve_command import run_server
from pagerduty_simulator.shop import online_shop
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, PROGRAM
from tests.support.webhook_receiver import Receiver

#: Programs of their own.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


async def serve(*arguments: str, token: bytes = b"the token\n") -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PAGERDUTY_SIMULATOR_TOKEN", None)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pagerduty_simulator", "serve", "--port", "0", *arguments),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(token)
    process.stdin.close()
    return process


async def test_it_serves_an_account_with_a_past_until_a_signal_ends_it() -> None:
    process = await serve("--token-stdin", "--incidents", "30", "--seed", "1")
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), PROGRAM)).decode()
    headers = {"Authorization": "Token token=the token"}
    async with httpx.AsyncClient(
        base_url=line.split()[-1], headers=headers, trust_env=False, timeout=ANSWER
    ) as http:
        page = (await http.get("/incidents", params={"total": "true", "date_range": "all"})).json()
        refused = await http.get("/incidents", headers={"Authorization": "Token token=other"})
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), PROGRAM)
    assert (page["total"], refused.status_code) == (30, 401)
    assert b"Traceback" not in errors
    assert process.returncode == -signal.SIGTERM


async def test_it_does_not_begin_without_a_token() -> None:
    process = await serve(token=b"")
    assert process.stderr is not None
    errors = await asyncio.wait_for(process.stderr.read(), PROGRAM)
    assert await process.wait() == 2
    assert b"PAGERDUTY_SIMULATOR_TOKEN" in errors


async def test_it_serves_a_pack_and_says_what_is_true_of_it() -> None:
    process = await serve("--token-stdin", "--pack", "cascade", "--seed", "1")
    truth = {}
    assert process.stderr is not None
    while "serving" not in (line := (await asyncio.wait_for(process.stderr.readline(), PROGRAM)).decode()):
        name, _, value = line.strip().partition(": ")
        truth[name] = value
    headers = {"Authorization": "Token token=the token"}
    async with httpx.AsyncClient(
        base_url=line.split()[-1], headers=headers, trust_env=False, timeout=ANSWER
    ) as http:
        seen = (await http.get(f"/incidents/{truth['incident_id']}")).json()["incident"]
        change = (await http.get(f"/change_events/{truth['origin']}")).json()["change_event"]
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), PROGRAM)
    assert seen["status"] == "acknowledged"
    assert seen["service"]["id"] == change["services"][0]["id"] == truth["origin_service_id"]


async def test_an_unknown_pack_is_refused_with_those_that_there_are() -> None:
    process = await serve("--token-stdin", "--pack", "earthquake")
    _, errors = await asyncio.wait_for(process.communicate(), PROGRAM)
    assert process.returncode == 2
    assert b"cascade" in errors
    assert b"Traceback" not in errors


async def test_what_happens_by_itself_is_told_while_nobody_asks_for_anything(receiver: Receiver) -> None:
    account = online_shop(now=lambda: datetime.now(UTC), seed=1)
    told = account.trigger(next(iter(account.services)), "Shop is slow")
    incident_id = str(told[0].incident_id)
    account.schedule_step(account.now() + timedelta(milliseconds=50), lambda: account.resolve(incident_id))
    site = AccountSite(account)

    async def open_now() -> int:
        return len(account.open_ids)

    serving = asyncio.create_task(
        run_server(site, "127.0.0.1", 0, plays=False, webhook=(receiver.url, "secret"), initial_events=told)
    )
    try:
        await eventually(open_now, lambda left: left == 0)
        await site.sender.drained()
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    kinds = [body.partition(b'"event_type":"')[2].partition(b'"')[0] for body in receiver.bodies]
    assert kinds == [b"incident.triggered", b"incident.resolved"]
