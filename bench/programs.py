"""The start and stop times of the installed program."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from bench.parts import make_folder
from bench.sides import NotAcknowledged
from calmo_pagerduty.processes import free_port, start_child

READY_SECONDS = 180.0


async def start_and_stop_up(folder: Path) -> tuple[float, float]:
    """Run `calmo-pagerduty up --no-demo` once; return the seconds of its start and of its stop."""
    log = make_folder(folder) / "up.log"
    ports = (
        "--port",
        str(free_port()),
        "--webhook-port",
        str(free_port()),
        "--temporal-port",
        str(free_port()),
        "--ui-port",
        str(free_port()),
    )
    command = (sys.executable, "-m", "ingress", "up", "--no-demo", "--data-dir", str(folder / "data"), *ports)
    started = time.monotonic()
    child = await start_child(command, log, {**os.environ, "XDG_STATE_HOME": str(folder)})
    while "is up after" not in log.read_text():
        if child.returncode is not None or time.monotonic() - started > READY_SECONDS:
            raise NotAcknowledged(f"`up` did not start: {log.read_text()[-2000:]}")
        await asyncio.sleep(0.05)
    ready = time.monotonic()
    child.send_signal(signal.SIGINT)
    await child.wait()
    return ready - started, time.monotonic() - ready
