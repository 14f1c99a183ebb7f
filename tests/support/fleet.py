"""Many processes of each role on one database, as in production; the doors stand behind a balancer."""

import asyncio
import contextlib
import itertools
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from calmo_pagerduty.http_client import AsyncClient, HTTPError, tls_context
from calmo_pagerduty.processes import free_port
from tests.support.crashing_postgresql import CrashingPostgres
from tests.support.eventually import eventually
from tests.support.patience import ANSWER, PROGRAM
from tests.support.service import Program

CHUNK = 65_536
#: How many processes of each role run. Each but a worker serves its health on a port of its own.
SIZES = {"door": 2, "api": 2, "forwarder": 2, "worker": 3}
DATABASE = "database"


class Balancer:
    """Sends each connection to the next of these ports that somebody listens to."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._turn = itertools.count()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            there, back = await self._connected()
            with contextlib.closing(back):
                await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        first = next(self._turn)
        for offset in range(len(self._ports)):
            port = self._ports[(first + offset) % len(self._ports)]
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
    finally:
        sink.close()


@dataclass
class Fleet:
    """Its parts go by names such as `door-1`; `database` is the server. Use `running_fleet`."""

    folder: Path
    environment: dict[str, str | None]
    server: CrashingPostgres
    programs: dict[str, Program] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    balanced: str = ""

    def __post_init__(self) -> None:
        for role, size in SIZES.items():
            for number in range(1, size + 1):
                name = f"{role}-{number}"
                command: tuple[str, ...] = ("worker",)
                if role != "worker":
                    self.ports[name] = free_port()
                    command = ("ingress", "ingress", "--role", role, "--port", str(self.ports[name]))
                self.programs[name] = Program(name, command, self.folder / f"{name}.log", self.environment)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def of_role(self, role: str) -> list[str]:
        return [name for name in self.programs if name.startswith(f"{role}-")]

    async def crash(self, name: str, down_seconds: float) -> None:
        """SIGKILL a process and start it again after a while. The database begins to recover at once."""
        if name == DATABASE:
            await asyncio.to_thread(self.server.crash)
        else:
            await self.programs[name].kill()
            # How long the outage lasts is part of the test, not a wait for something to happen.
            await asyncio.sleep(down_seconds)
            await self.programs[name].start()
        self.kills += 1

    async def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP a process for a while: to the others it is there and does not answer."""
        child = self.programs[name].child
        assert child is not None
        child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            child.send_signal(signal.SIGCONT)

    @asynccontextmanager
    async def only(self, name: str) -> AsyncIterator[None]:
        """Kill all others of this process's role, and start them again afterwards."""
        others = [other for other in self.of_role(name.split("-", maxsplit=1)[0]) if other != name]
        for other in others:
            await self.programs[other].kill()
        yield
        for other in others:
            await self.programs[other].start()

    async def until_ready(self) -> None:
        """Wait until all serve and are ready. Fail if a process has ended that nobody killed."""
        async with AsyncClient(trust_env=False, verify=tls_context(), timeout=ANSWER) as http:

            async def unready() -> list[str]:
                return [name for name in self.ports if not await self._is_ready(http, name)]

            await eventually(unready, lambda names: not names, PROGRAM)
        self.check_all_run()

    def check_all_run(self) -> None:
        for name, program in self.programs.items():
            assert program.child is not None
            assert program.child.returncode is None, f"{name} ended with {program.child.returncode}"

    async def _is_ready(self, http: AsyncClient, name: str) -> bool:
        self.check_all_run()
        try:
            return (await http.get(f"{self.url(name)}/readyz")).status_code == 200
        except HTTPError:
            return False


@asynccontextmanager
async def running_fleet(
    folder: Path, environment: Mapping[str, str | None], server: CrashingPostgres
) -> AsyncIterator[Fleet]:
    """Run all processes and the balancer; in the end stop exactly what was started."""
    fleet = Fleet(folder, dict(environment), server)
    doors = Balancer([fleet.ports[name] for name in fleet.of_role("door")])
    balancer = await asyncio.start_server(doors.serve, "127.0.0.1", 0)
    fleet.balanced = f"http://127.0.0.1:{balancer.sockets[0].getsockname()[1]}"
    try:
        await asyncio.gather(*(program.start() for program in fleet.programs.values()))
        await fleet.until_ready()
        yield fleet
    finally:
        await asyncio.gather(*(program.stop() for program in fleet.programs.values()))
        balancer.close()
