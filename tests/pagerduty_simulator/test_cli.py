"""`python -m pagerduty_simulator` as a process."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.events import Event
from pagerduty_simulator.scenarios import events_of, play
from pagerduty_simulator.shop import online_shop
from pagerduty_simulator.signatures import signature_header
from pagerduty_simulator.storms import STORM_BEGINS_AT
from tests.support.patience import EVENTUALLY, PROGRAM
from tests.support.webhook_receiver import Received, Receiver

#: Programs of their own.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


async def simulate(*arguments: str, secret: str | None = None) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PAGERDUTY_SIMULATOR_SECRET", None)
    if secret is not None:
        environment["PAGERDUTY_SIMULATOR_SECRET"] = secret
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pagerduty_simulator", *arguments),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_scenario_is_delivered_whole_with_a_line_for_each_event(receiver: Receiver) -> None:
    arguments = ("--url", "-", "--scenario", "demo", "--speed", "200")
    process = await simulate(*arguments, "--secret-stdin")
    given = f"{receiver.url}\nfrom stdin\n".encode()
    output, errors = await asyncio.wait_for(process.communicate(given), PROGRAM)
    expected = events_of(DEMO, seed=1, begins_at=STORM_BEGINS_AT)
    assert process.returncode == 0, errors.decode()
    assert output == b""
    assert len(errors.splitlines()) == len(receiver.received) == len(expected)
    assert b"incident.triggered" in errors
    assert b"Order database refuses writes" in errors
    for request in receiver.received:
        assert request.headers["x-pagerduty-signature"] == signature_header(["from stdin"], request.body)


async def test_two_runs_tell_of_different_incidents(receiver: Receiver) -> None:
    arguments = ("--url", receiver.url, "--scenario", "every-event", "--speed", "500")
    for _ in range(2):
        process = await simulate(*arguments, secret="from the environment")
        await asyncio.wait_for(process.communicate(), PROGRAM)
        assert process.returncode == 0
    ids = [json.loads(body)["event"]["id"] for body in receiver.bodies]
    assert len(ids) == len(set(ids)) == 2 * 39


async def test_undelivered_events_make_it_end_with_1(receiver: Receiver) -> None:
    receiver.answer = lambda _: 404
    arguments = ("--url", receiver.url, "--scenario", "every-event", "--speed", "500")
    process = await simulate(*arguments, secret="s")
    _, errors = await asyncio.wait_for(process.communicate(), PROGRAM)
    assert process.returncode == 1
    assert b"refused" in errors
    assert b"was disabled" in errors


async def test_repeating_goes_on_with_new_incidents_until_it_is_ended(receiver: Receiver) -> None:
    ids = set()
    twice = asyncio.Event()

    def answer(request: Received) -> int:
        ids.add(json.loads(request.body)["event"]["id"])
        if len(ids) > 2 * 39:
            twice.set()
        return 202

    receiver.answer = answer
    arguments = ("--url", receiver.url, "--scenario", "every-event", "--speed", "500", "--repeat")
    process = await simulate(*arguments, secret="s")
    await asyncio.wait_for(twice.wait(), PROGRAM)
    process.terminate()
    await asyncio.wait_for(process.communicate(), PROGRAM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_at_once_and_quietly(receiver: Receiver, number: int) -> None:
    process = await simulate("--url", receiver.url, secret="s")
    assert process.stderr is not None
    first_line = await asyncio.wait_for(process.stderr.readline(), PROGRAM)
    process.send_signal(number)
    _, errors = await asyncio.wait_for(process.communicate(), PROGRAM)
    assert b"incident.triggered" in first_line
    assert b"Traceback" not in errors
    assert process.returncode == -number


async def test_it_does_not_begin_without_a_secret(receiver: Receiver) -> None:
    process = await simulate("--url", receiver.url)
    _, errors = await asyncio.wait_for(process.communicate(), PROGRAM)
    assert process.returncode == 2
    assert b"PAGERDUTY_SIMULATOR_SECRET" in errors
    assert receiver.received == []


async def test_playing_keeps_to_the_scenario_s_moments() -> None:
    clock = ManualClock(STORM_BEGINS_AT)
    account = online_shop(now=clock.now, seed=1)
    told: list[Event] = []
    playing = asyncio.create_task(play(DEMO, account, told.extend, clock))
    async with asyncio.timeout(EVENTUALLY):
        while not playing.done():
            await asyncio.sleep(0)
            if clock.next_wake is not None:
                clock.advance(clock.next_wake - clock.now())
    assert [event.body for event in told] == [
        event.body for event in events_of(DEMO, seed=1, begins_at=STORM_BEGINS_AT)
    ]
