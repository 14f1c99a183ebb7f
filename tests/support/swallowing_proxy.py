"""A network that takes packets and forwards none, without a reset: to both sides the other one is silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK = 65_536


class SwallowingProxy:
    """Forwards to a socket of this machine unless it is `swallowing`."""

    def __init__(self, target: Path) -> None:
        self.swallowing = False
        self._target = target
        self._stopped = asyncio.Event()
        self._forwarding: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._target)
        for source, sink in ((reader, back), (there, writer)):
            self._forwarding.add(asyncio.create_task(self._forward(source, sink)))

    async def stop(self) -> None:
        self._stopped.set()
        for task in self._forwarding:
            task.cancel()
        await asyncio.gather(*self._forwarding, return_exceptions=True)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                if not self.swallowing:
                    sink.write(data)
            if self.swallowing:
                # Who hangs up is not heard of either.
                await self._stopped.wait()
        finally:
            sink.close()


@asynccontextmanager
async def swallowing_proxy(target: Path, at: Path) -> AsyncIterator[SwallowingProxy]:
    """Run a proxy to the socket `target` at the socket `at`."""
    proxy = SwallowingProxy(target)
    server = await asyncio.start_unix_server(proxy.serve, at)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
