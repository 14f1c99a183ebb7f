"""Start the measured processes on free ports, and stop exactly them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.service import GrpcCompression

from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.client import runtime
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from workflows import names


@asynccontextmanager
async def running_temporal(folder: Path, name: str) -> AsyncIterator[TemporalDevServer]:
    """A Temporal server with the product's own flags and a database file of its own."""
    server = TemporalDevServer(
        log_file=folder / f"{name}.log",
        port=free_port(),
        database=folder / f"{name}.db",
        search_attributes=names.SEARCH_ATTRIBUTES,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def make_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


async def connect(server: TemporalDevServer) -> Client:
    return await Client.connect(server.address, runtime=runtime(), grpc_compression=GrpcCompression.NONE)


def pid_of(server: TemporalDevServer) -> int:
    assert server.child is not None
    return server.child.pid


def tail_of_logs(folder: Path, lines: int = 15) -> str:
    """Return the ends of all logs: after a failure, the folder is deleted."""
    return "\n".join(
        f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
        for path in sorted(folder.rglob("*.log"))
    )
