"""PagerDuty's end of the wire, byte by byte: what it answers is written down beforehand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """A server on this machine that gives its `replies` in turn, then closes; None resets the connection."""

    port: int = 0
    replies: list[bytes | None] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    #: Whether it stays silent after a reply instead of closing.
    hangs: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, status: int, body: object = None, headers: Mapping[str, str] | None = None) -> None:
        """Add a well-formed reply; `body` is JSON, or bytes, or nothing."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"Content-Length": str(len(content)), "Connection": "close", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.replies.append(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + content)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.received.append(await _read(reader))
            reply = self.replies.pop(0) if self.replies else b""
            if reply is None:
                writer.transport.abort()
                return
            writer.write(reply)
            await writer.drain()
            if self.hangs:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, target, _ = first.split(" ")
    return Received(method, target, headers, body)


@asynccontextmanager
async def scripted_wire() -> AsyncIterator[Wire]:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    async with server:
        yield wire


def error(message: str, code: int | None = None, errors: Any = None) -> dict[str, Any]:
    """PagerDuty's usual refusal."""
    told = {"message": message, "code": code, "errors": errors}
    return {"error": {name: value for name, value in told.items() if value is not None}}
