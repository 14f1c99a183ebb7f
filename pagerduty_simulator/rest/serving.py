"""Run the API on a loopback port, within the caller's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pagerduty_simulator.rest.application import DROP_EXTENSION


class _DroppingProtocol(HttpToolsProtocol):
    """Lets the application drop the connection without a response."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DROP_EXTENSION: self.transport.abort}  # type: ignore[dict-item]  # our own


#: How long a connection may be idle. A short time would close it just as a busy client sends a request.
KEEP_ALIVE_SECONDS = 60


class _EmbeddedServer(uvicorn.Server):
    """A server that does not change the signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def running_server(application: Starlette, host: str, port: int) -> AsyncIterator[str]:
    """Serve until the block ends, and yield the base URL. Port 0 takes any free port."""
    # Name TCP explicitly, or asyncio leaves Nagle's algorithm on, which costs 40 ms per response.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # uvicorn would log an error for each deliberately cut response.
        config = uvicorn.Config(
            application,
            http=_DroppingProtocol,
            log_level="critical",
            lifespan="off",
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        listener.listen(2048)
        server = _EmbeddedServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            server.force_exit = True
            await serving
    finally:
        listener.close()
