"""A process that hangs is seen, also beside others that work, and started again by who started it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from calmo_pagerduty import heartbeats
from calmo_pagerduty.heartbeats import is_hung, list_heartbeats
from calmo_pagerduty.processes import start_child, stop_child
from ingress import supervisor
from ingress.commands import health
from ingress.supervisor import SupervisedProcess, Supervisor
from tests.support.eventually import eventually
from tests.support.patience import PROGRAM

BEATING = """
import asyncio, sys
from pathlib import Path
from calmo_pagerduty import heartbeats
heartbeats.BEAT_SECONDS = 0.05
asyncio.run(heartbeats.show_heartbeat(Path(sys.argv[1]), "worker"))
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(heartbeats, "HUNG_SECONDS", 3.0)
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.1)
    monkeypatch.setenv("CALMO_HEARTBEAT_DIR", str(tmp_path))


async def start(folder: Path) -> asyncio.subprocess.Process:
    command = (sys.executable, "-c", BEATING, str(folder))
    return await start_child(command, folder / "log")


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    started = [await start(tmp_path) for _ in range(3)]
    yield started
    for worker in started:
        await stop_child(worker, PROGRAM)


async def test_one_worker_of_three_that_hangs_is_named_and_the_dead_are_not(
    workers: list[asyncio.subprocess.Process], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def seen() -> set[int]:
        return {beat.pid for beat in list_heartbeats(tmp_path, "worker") if not beat.is_hung}

    hanging, dying, working = workers
    await eventually(seen, lambda found: found == {worker.pid for worker in workers}, within=PROGRAM)
    health.worker()
    assert str(hanging.pid) in capsys.readouterr().out
    hanging.send_signal(signal.SIGSTOP)
    dying.kill()
    await dying.wait()
    await eventually(seen, lambda found: found == {working.pid})
    with pytest.raises(health.NotWell, match=f"process id: {hanging.pid} for") as told:
        health.worker()
    assert str(dying.pid) not in str(told.value)
    hanging.send_signal(signal.SIGCONT)
    await eventually(seen, lambda found: found == {hanging.pid, working.pid})


async def test_a_process_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    hung = partial(is_hung, tmp_path, "worker")
    process = SupervisedProcess("worker", partial(start, tmp_path), is_hung=hung)

    async def state() -> tuple[asyncio.subprocess.Process | None, bool]:
        return process.child, bool(list_heartbeats(tmp_path, "worker"))

    supervising = Supervisor(told.append)
    await supervising.run(process)
    try:
        first, _ = await eventually(state, lambda found: found[1], within=PROGRAM)
        assert first is not None
        first.send_signal(signal.SIGSTOP)
        await eventually(state, lambda found: found[0] not in {None, first})
        ended = f"worker ended with status {-signal.SIGKILL}: restarting it"
        assert told == ["worker hangs: killing it", ended]
    finally:
        await supervising.stop(process, PROGRAM)
