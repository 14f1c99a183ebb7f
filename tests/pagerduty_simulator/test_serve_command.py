"""`python -m pagerduty_simulator serve` as a process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


async def serve(*arguments, token=b"the token\n"):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PAGERDUTY_SIMULATOR_TOKEN", None)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pagerduty_simulator", "serve", "--port", "0", *arguments),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    process.stdin.write(token)
    process.stdin.close()
    return process


async def test_it_serves_an_account_with_a_past_until_a_signal_ends_it():
    process = await serve("--token-stdin", "--incidents", "30", "--seed", "1")
    line = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
    headers = {"Authorization": "Token token=the token"}
    async with httpx.AsyncClient(base_url=line.split()[-1], headers=headers, trust_env=False) as http:
        page = (await http.get("/incidents", params={"total": "true", "date_range": "all"})).json()
        refused = await http.get("/incidents", headers={"Authorization": "Token token=other"})
    process.send_signal(signal.SIGTERM)
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (page["total"], refused.status_code) == (30, 401)
    assert b"Traceback" not in errors
    assert process.returncode == -signal.SIGTERM


async def test_it_does_not_begin_without_a_token():
    process = await serve(token=b"")
    errors = await asyncio.wait_for(process.stderr.read(), 30)
    assert await process.wait() == 2
    assert b"PAGERDUTY_SIMULATOR_TOKEN" in errors
