"""The product as `up` runs it: Temporal, worker and ingress as processes, with SQLite."""

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr
from temporalio.client import Client

from bench.http_client import Acknowledgement, HttpClient
from bench.incidents import IncidentGenerator
from bench.parts import connect, make_folder, pid_of, running_temporal
from bench.shapes import burst
from bench.sides import NotAcknowledged
from bench.sqlite_files import TimelineWatch, used_bytes
from bootstrap.store import open_store
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.processes import free_port, start_child, stop_child
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from calmo_pagerduty.tools.permissions import ConnectionRules
from calmo_pagerduty.webhooks import store as webhooks
from pagerduty_simulator.events import Event
from pagerduty_simulator.signatures import signature_header

STOP_SECONDS = 8.0
READY_SECONDS = 60.0


class ProductSide:
    """One running instance and its sender. An event is absorbed when its row is on the timeline."""

    name = "product"

    def __init__(
        self, folder: Path, server: TemporalDevServer, temporal: Client, more: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._server = server
        self.temporal = temporal
        self._port = free_port()
        self._settings = Settings(data_dir=folder, http_port=self._port)
        self._environment = {
            "CALMO_DATA_DIR": str(folder),
            "CALMO_HTTP_PORT": str(self._port),
            "TEMPORAL_ADDRESS": server.address,
            # The bare workflow gathers no context either; `context` measures that cost alone.
            "CALMO_GATHER_CONTEXT": "false",
            "CALMO_ANALYSE_ONCALL": "false",
            **more,
        }
        self._secret = secrets.token_hex(24)
        self._webhook_id, self._connection_id = self._make_webhook()
        self._http = HttpClient(self._port)
        self._watch = TimelineWatch(folder / "calmo.db")
        self._requests: dict[str, bytes] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}

    @property
    def temporal_address(self) -> str:
        return self._server.address

    def connect_account(
        self,
        token: str,
        rules: ConnectionRules | None = None,
        requests_per_minute: int | None = None,
    ) -> str:
        """Insert a connection to the simulator, and return its id."""
        scope, now = Scope.parse("organization:bench"), datetime.now(UTC)

        def insert(tx: Transaction) -> str:
            connection_id = connections.insert_connection(
                tx,
                "Simulated",
                scope,
                now,
                Region.SIMULATOR,
                rules,
                requests_per_minute=requests_per_minute,
            )
            connection = connections.get_connection(tx, EVERYTHING, connection_id)
            assert connection is not None
            connections.update_token(tx, store.keyring, connection, TokenKind.API_TOKEN, SecretStr(token))
            return connection_id

        with open_store(self._settings) as store:
            return store.database.write_blocking(insert)

    def pace_account(self, connection_id: str, requests_per_minute: int | None) -> None:
        """Set how many requests a connection may make in a minute; None is the product's default."""
        with open_store(self._settings) as store:
            store.database.write_blocking(
                lambda tx: connections.update_connection(
                    tx, connection_id, requests_per_minute=requests_per_minute
                )
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start the processes, and warm them up with one burst of incidents."""
        await self.start_worker()
        await self._start("ingress", "ingress", "ingress")
        await self._until_ready()
        await burst(self, IncidentGenerator(seed=self._port).incidents(20))

    async def start_worker(self) -> None:
        await self._start("worker", "worker")

    @property
    def secret(self) -> str:
        return self._secret

    async def start_door(self, port: int) -> asyncio.subprocess.Process:
        """Start a door on this port. The caller stops it."""
        await self._start("door", "ingress", "ingress", "--role", "door", "--port", str(port))
        return self._children["door"]

    async def kill_everything(self) -> None:
        """Kill all processes, Temporal's server included, like a machine that loses its power."""
        for child in self._children.values():
            child.kill()
        await self._server.kill()
        await asyncio.gather(*(child.wait() for child in self._children.values()))

    async def start_again(self, door_port: int) -> None:
        """Start all processes again at once, as `up` does, with a door on this port."""
        await asyncio.gather(
            self._server.start(),
            self.start_door(door_port),
            self.start_worker(),
            self._start("ingress", "ingress", "ingress"),
        )

    async def kill_worker(self) -> None:
        """Kill the worker, like a crash."""
        worker = self._children["worker"]
        worker.kill()
        await worker.wait()

    def freeze_worker(self) -> None:
        """Stop the worker's execution. Temporal still dispatches tasks to it."""
        self._children["worker"].send_signal(signal.SIGSTOP)

    async def answer_to_half_a_body(self, event: Event) -> float:
        """Deliver all but an event's last bytes; return the seconds until the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        started = time.monotonic()
        writer.write(self.request(event)[:-10])
        await reader.readline()
        seconds = time.monotonic() - started
        writer.close()
        return seconds

    def make_api_key(self) -> str:
        """Insert an API key that reads issues, and return it."""
        with open_store(self._settings) as store:
            now = datetime.now(UTC)
            return store.database.write_blocking(
                lambda tx: api_keys.insert_key(tx, "bench", ["issues:read"], None, now)
            )

    async def open_streams(self, count: int) -> Sequence[asyncio.StreamWriter]:
        """Open clients that read live changes, each with a key of its own. The caller closes them."""
        return [await self._open_stream(self.make_api_key()) for _ in range(count)]

    async def _open_stream(self, key: str) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"GET /api/issues/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        if b" 200 " not in await reader.readline():
            raise NotAcknowledged("the live changes were refused")
        return writer

    async def stop_ingress_with_a_reader(self) -> float:
        """Stop the ingress while a client reads live changes; return the seconds until its end."""
        writer = await self._open_stream(self.make_api_key())
        started = time.monotonic()
        ingress = self._children["ingress"]
        ingress.terminate()
        await ingress.wait()
        writer.close()
        return time.monotonic() - started

    async def stop(self) -> None:
        self._http.close()
        self._watch.close()
        await asyncio.gather(*(stop_child(child, STOP_SECONDS) for child in self._children.values()))

    def prepare(self, events: Iterable[Event]) -> None:
        for event in events:
            self._requests[event.id] = self.request(event)

    async def post(self, event: Event) -> Acknowledgement:
        """Deliver one event, whatever the answer."""
        return await self._http.ask(self._requests.pop(event.id))

    async def send(self, event: Event) -> float:
        answer = await self.post(event)
        if not 200 <= answer.status < 300:
            raise NotAcknowledged(f"the receiver answered {answer.status}")
        return answer.at

    def newly_absorbed(self) -> Sequence[tuple[str, float]]:
        return self._watch.newly_saved()

    def pids(self) -> Mapping[str, int]:
        return {"server": pid_of(self._server)} | {
            name: process.pid for name, process in self._children.items()
        }

    def workflow_id(self, incident_id: str) -> str:
        return IncidentRef(connection_id=self._connection_id, incident_id=incident_id).workflow_id

    def database_bytes(self) -> Mapping[str, int]:
        assert self._server.database is not None
        return {
            "temporal": used_bytes(self._server.database),
            "calmo": used_bytes(self._folder / "calmo.db"),
        }

    async def _until_ready(self) -> None:
        for _ in range(int(READY_SECONDS / 0.05)):
            if (await self._http.ask(b"GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n")).status == 200:
                return
            await asyncio.sleep(0.05)
        raise NotAcknowledged(f"the ingress was not ready within {READY_SECONDS:g} s")

    async def _start(self, name: str, *command: str) -> None:
        self._children[name] = await start_child(
            (sys.executable, "-m", *command), self._folder / f"{name}.log", self._environment
        )

    def _make_webhook(self) -> tuple[str, str]:
        scope, secret = Scope.parse("organization:bench"), self._secret.encode()
        with open_store(self._settings) as store:
            database, keyring, now = store.database, store.keyring, datetime.now(UTC)
            webhook_id = database.write_blocking(
                lambda tx: webhooks.insert_webhook(tx, keyring, scope, secret, now)
            )
            webhook = database.read_blocking(lambda tx: webhooks.get_webhook(tx, keyring, webhook_id, now))
            assert webhook is not None
            return webhook_id, webhook.connection_id

    def request(self, event: Event) -> bytes:
        """Return the signed delivery of an event, as bytes for any process that takes it."""
        return (
            f"POST /webhooks/pagerduty/{self._webhook_id} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self._port}\r\n"
            "User-Agent: PagerDuty-Webhook/V3.0\r\n"
            "Content-Type: application/json\r\n"
            f"X-PagerDuty-Signature: {signature_header([self._secret], event.body)}\r\n"
            f"X-Webhook-Id: {secrets.token_hex(16)}\r\n"
            f"Content-Length: {len(event.body)}\r\n\r\n"
        ).encode() + event.body


@asynccontextmanager
async def running_product(folder: Path, **settings: str) -> AsyncIterator[ProductSide]:
    """Run the product with these environment variables, and else with its defaults.

    All deliveries come to one connection, which may send more here than elsewhere.
    """
    settings = {"CALMO_WEBHOOK_RATE": "100000", "CALMO_WEBHOOK_BURST": "100000", **settings}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_temporal(make_folder(folder), "temporal"))
        product = ProductSide(folder, server, await connect(server), settings)
        stack.push_async_callback(product.stop)
        await product.start()
        yield product
