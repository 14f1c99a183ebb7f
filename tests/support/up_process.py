"""`calmo-pagerduty` as its users run it: the installed program, its options, its output, its signals."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.processes import free_port
from tests.support.builders import body_of, headers_for
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, PROGRAM, STORY

CALMO = str(Path(sys.executable).parent / "calmo-pagerduty")
#: The on-call analyses of the demo compute for longer than all else: only tests about them need them.
WITHOUT_ANALYSES = {"CALMO_ANALYSE_ONCALL": "false"}


@dataclass(frozen=True, slots=True)
class Finished:
    status: int
    output: str
    errors: str

    @property
    def one_clear_line(self) -> bool:
        """Whether it failed the way a person can read: one line on stderr, no traceback."""
        lines = self.errors.strip().splitlines()
        return self.status == 1 and len(lines) == 1 and lines[0].startswith("calmo-pagerduty: ")


@dataclass
class UpProcess:
    """A started `up`: where it was told to be, and the process."""

    folder: Path
    state: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=free_port)
    webhook_port: int = field(default_factory=free_port)
    temporal_port: int = field(default_factory=free_port)
    ui_port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> tuple[str, ...]:
        return (
            "--data-dir",
            str(self.folder),
            "--port",
            str(self.port),
            "--webhook-port",
            str(self.webhook_port),
            "--temporal-port",
            str(self.temporal_port),
            "--ui-port",
            str(self.ui_port),
        )

    @property
    def running(self) -> asyncio.subprocess.Process:
        assert self.process is not None
        return self.process

    @property
    def output_file(self) -> Path:
        return self.state / f"up-{self.port}.txt"

    @property
    def output(self) -> str:
        return self.output_file.read_text()

    @property
    def api_key(self) -> str:
        return (self.folder / "api_key").read_text().strip()

    async def start(self, *more: str) -> None:
        with self.output_file.open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                CALMO,
                "up",
                *self.options,
                *more,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )

    async def until_ready(self) -> None:
        async def is_ready() -> bool:
            assert self.running.returncode is None, self.output
            # Ready, and the tables of a restarted service shown: it says so once both are there.
            return "is up after" in self.output

        await eventually(is_ready, within=STORY)

    def family(self) -> list[psutil.Process]:
        """Return the process, its children and theirs."""
        me = psutil.Process(self.running.pid)
        return [me, *me.children(recursive=True)]

    def parts(self) -> list[psutil.Process]:
        """Return the process and its children, without theirs."""
        me = psutil.Process(self.running.pid)
        return [me, *me.children()]

    def part(self, argument: str) -> psutil.Process | None:
        """Return the child that was started with this argument, if it runs now."""
        found = (child for child in self.family()[1:] if argument in _command_of(child))
        return next((child for child in found if still_runs(child)), None)

    async def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal and wait until it has ended."""
        self.running.send_signal(number)
        await asyncio.wait_for(self.running.wait(), PROGRAM)

    async def issues(self) -> list[dict[str, Any]]:
        """The issues of incidents. The on-call analyses open issues too, whenever they are through."""
        async with self.api() as api:
            answer = await api.get("/api/issues")
            return [issue for issue in answer.json()["issues"] if issue["origin"] == "incident"]

    async def issue(self, identity: str) -> dict[str, Any]:
        async with self.api() as api:
            return dict((await api.get(f"/api/issues/{identity}")).json())

    def api(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, trust_env=False, verify=tls_context(), timeout=ANSWER
        )

    async def calmo(self, *arguments: str, stdin: bytes = b"", **variables: str) -> Finished:
        return await calmo(*arguments, environment={**self.environment, **variables}, stdin=stdin)


@asynccontextmanager
async def an_up(folder: Path, state: Path, **variables: str) -> AsyncIterator[UpProcess]:
    """Prepare an `up`; whatever of it still runs in the end is ended."""
    up = UpProcess(folder, state, environment_with(state, **variables))
    family: list[psutil.Process] = []
    try:
        yield up
    finally:
        if up.process is not None and up.process.returncode is None:
            family = up.family()
            await up.stop(signal.SIGTERM)
        for process in family:
            if still_runs(process):
                process.kill()


def environment_with(state: Path, **variables: str) -> dict[str, str]:
    """Return the caller's environment, with a home for the register of running services."""
    return {**os.environ, "XDG_STATE_HOME": str(state), "COLUMNS": "200", **variables}


async def calmo(*arguments: str, environment: Mapping[str, str], stdin: bytes = b"") -> Finished:
    """Run the program to its end."""
    child = await asyncio.create_subprocess_exec(
        CALMO,
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(child.communicate(stdin), PROGRAM)
    except TimeoutError:
        child.kill()
        await child.wait()
        raise
    assert child.returncode is not None
    return Finished(child.returncode, output.decode(), errors.decode())


async def deliver(url: str, payload: dict[str, Any], secret: bytes) -> int:
    """POST a signed delivery, again while it is asked to come back, as PagerDuty does; return the status."""
    body = body_of(payload)

    async def answered() -> int:
        return (await http.post(url, content=body, headers=headers_for(body, secret))).status_code

    async with httpx.AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as http:
        return await eventually(answered, lambda status: status not in {429, 503})


def still_runs(process: psutil.Process) -> bool:
    """A zombie has ended: it only waits for somebody to ask how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def all_gone(family: list[psutil.Process], within: float = PROGRAM) -> None:
    async def left() -> list[psutil.Process]:
        return [process for process in family if still_runs(process)]

    await eventually(left, lambda found: not found, within=within)


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
