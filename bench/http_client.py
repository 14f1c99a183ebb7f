"""A minimal HTTP/1.1 client with persistent connections, so that sending takes little CPU."""

import asyncio
import time
from typing import NamedTuple, cast

_TIMEOUT_SECONDS = 10.0


class Acknowledgement(NamedTuple):
    """`status` is 0 without an answer. `at` is when the answer was complete, on the monotonic clock."""

    status: int
    at: float


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[Acknowledgement] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports don't inherit from asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        self._received = b""
        self._finish(int(head[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self._finish(0)

    async def ask(self, request: bytes) -> Acknowledgement:
        self._answer = asyncio.get_running_loop().create_future()
        assert self.transport is not None
        self.transport.write(request)
        return await self._answer

    def _finish(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Acknowledgement(status, time.monotonic()))


class HttpClient:
    """Opens a connection for each concurrent request, and reuses it for later requests."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Connection] = []

    async def ask(self, request: bytes) -> Acknowledgement:
        """Send a whole request; never raises."""
        connection = None
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                connection = await self._connection()
                answer = await connection.ask(request)
        except (OSError, TimeoutError):
            if connection is not None and connection.transport is not None:
                connection.transport.close()
            return Acknowledgement(0, time.monotonic())
        self._free.append(connection)
        return answer

    def close(self) -> None:
        for connection in self._free:
            if connection.transport is not None:
                connection.transport.close()

    async def _connection(self) -> _Connection:
        while self._free:
            connection = self._free.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(_Connection, "127.0.0.1", self._port))[1]


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
