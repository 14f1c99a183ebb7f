"""The real parts as processes of our own: they can be killed, paused and started again at will."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from calmo_pagerduty.http_client import AsyncClient, HTTPError, tls_context
from calmo_pagerduty.processes import free_port, start_child, stop_child
from calmo_pagerduty.temporal.dev_server import TemporalDevServer, isolated_environment
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, PROGRAM
from workflows import names

LOG_LINES = 30


@dataclass
class Program:
    """One Python program of ours; each start appends to the same log."""

    name: str
    command: tuple[str, ...]
    log_file: Path
    environment: dict[str, str | None]
    child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.child = await start_child((sys.executable, "-m", *self.command), self.log_file, self.environment)

    async def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        await self.child.wait()

    async def stop(self) -> None:
        if self.child is not None:
            await stop_child(self.child, PROGRAM)


Part = Program | TemporalDevServer


@dataclass
class Service:
    """Temporal with a database file, one worker, one ingress. Use `running_service`."""

    folder: Path
    settings: dict[str, str]
    database_url: str
    http_port: int = field(default_factory=free_port)
    kills: int = 0

    def __post_init__(self) -> None:
        self.temporal = TemporalDevServer(
            log_file=self.folder / "temporal.log",
            port=free_port(),
            database=self.folder / "temporal.db",
            search_attributes=names.SEARCH_ATTRIBUTES,
        )
        self.environment: dict[str, str | None] = isolated_environment() | {
            "CALMO_DATA_DIR": str(self.folder),
            "CALMO_DATABASE_URL": self.database_url,
            "CALMO_HTTP_PORT": str(self.http_port),
            "TEMPORAL_ADDRESS": self.temporal.address,
            **self.settings,
        }
        self.worker = self._program("worker", "worker")
        self.ingress = self._program("ingress", "ingress", "ingress", "--port", str(self.http_port))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def parts(self) -> dict[str, Part]:
        return {"temporal": self.temporal, "worker": self.worker, "ingress": self.ingress}

    async def start(self) -> None:
        await asyncio.gather(*(part.start() for part in self.parts.values()))
        await eventually(self._is_ready, within=PROGRAM)

    async def stop(self) -> None:
        await asyncio.gather(self.worker.stop(), self.ingress.stop())
        await self.temporal.stop()

    async def crash(self, name: str, down_seconds: float) -> None:
        """SIGKILL a part and start it again after it has been away for a while."""
        self._must_run(name)
        await self.parts[name].kill()
        self.kills += 1
        # How long the outage lasts is part of the test, not a wait for something to happen.
        await asyncio.sleep(down_seconds)
        await self.parts[name].start()

    async def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP a part for a while: to the others it is there and does not answer."""
        child = self._must_run(name)
        child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            child.send_signal(signal.SIGCONT)

    async def create_webhook(self, secret: str) -> str:
        """Return the URL of a new webhook, made with the command line as an operator would."""
        command = ("webhook", "create", "--scope", "organization:acme", "--secret-stdin", "--json")
        environment = {**os.environ, **self.environment}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ingress",
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: value for name, value in environment.items() if value is not None},
        )
        output, _ = await child.communicate(secret.encode())
        return str(json.loads(output)["url"])

    def check_all_run(self) -> None:
        """Fail if a part has ended that nobody killed."""
        for name in self.parts:
            self._must_run(name)

    def logs(self) -> str:
        """Return the last lines that each part wrote."""
        shown = []
        for name in self.parts:
            file = self.folder / f"{name}.log"
            lines = file.read_text(errors="replace").splitlines()[-LOG_LINES:] if file.exists() else []
            shown.append("\n".join([f"--- {name}", *(line[:500] for line in lines)]))
        return "\n".join(shown)

    def _must_run(self, name: str) -> asyncio.subprocess.Process:
        child = self.parts[name].child
        assert child is not None
        assert child.returncode is None, f"{name} ended by itself with status {child.returncode}"
        return child

    def _program(self, name: str, *command: str) -> Program:
        return Program(name, command, self.folder / f"{name}.log", self.environment)

    async def _is_ready(self) -> bool:
        self.check_all_run()
        async with AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as http:
            try:
                return str((await http.get(f"{self.url}/readyz")).json()["temporal"]) == "ok"
            except HTTPError:
                return False


@asynccontextmanager
async def running_service(
    folder: Path, database_url: str, settings: dict[str, str] | None = None
) -> AsyncIterator[Service]:
    """Run all parts; on failure show what they said; in the end stop exactly what was started."""
    service = Service(folder, settings or {}, database_url)
    try:
        await service.start()
        yield service
    # Whatever ends the test, the logs tell why.
    except BaseException:
        print(service.logs())  # noqa: T201 - shown by pytest with the failure
        raise
    finally:
        await service.stop()
