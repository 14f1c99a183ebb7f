"""The ingress's HTTP protocol: uvicorn's, with limits on what a client may send, hold and leave unread.

Anybody who can reach the port is a client here, also without a key. Nothing that a client sends may take
more than a bounded share of memory, time or connections, so that a good delivery is always answered.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ingress.connection_limits import ConnectionLimits

#: The request line and the headers together. PagerDuty's are below 2 KiB.
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
#: Requests that a client may send on a connection before the answer to its first.
MAX_PIPELINED = 16
#: From the connection, or a request's first byte, to the end of its headers.
HEAD_SECONDS = 5.0
#: From the end of the headers to the end of the body. The webhook receiver has a shorter limit of its own.
BODY_SECONDS = 30.0
#: How long a client may leave an answer unread once the buffers are full.
UNREAD_SECONDS = 30.0


class _TooMuch(Exception):
    """The client sent more than one of the limits allows."""


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that exceed a limit: of bytes, of headers, of time, of connections."""

    def __init__(self, limits: ConnectionLimits, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        #: Bytes of the request line and the headers that arrived; None while a body arrives.
        self._head_bytes: int | None = 0
        self._refused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._unread_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvloop's transports are both
        peer = self.client[0] if self.client else ""
        if not self._limits.add(self, peer):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._expect_within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.remove(self)
        self._expect_nothing()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and no more of a head than MAX_HEAD_BYTES."""
        while data and not self._refused:
            room = len(data) if self._head_bytes is None else MAX_HEAD_BYTES - self._head_bytes
            if room <= 0:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
            piece, data = data[:room], data[room:]
            if self._head_bytes is not None:
                if self._head_bytes == 0:
                    self._expect_within(HEAD_SECONDS)
                self._head_bytes += len(piece)
            super().data_received(piece)

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= MAX_HEADERS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _TooMuch
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
            raise _TooMuch
        self._head_bytes = None
        self._limits.note_request(self)
        self._expect_within(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes = 0
        self._expect_nothing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.parser is not None and not self.pipeline and not self.transport.is_closing():
            self._limits.note_idle(self)

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_deadline = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None
        super().resume_writing()

    def close_idle(self) -> None:
        """Close the connection to make room for another. It is in no request."""
        self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        """Read no further, and close: after the answers to whole requests that came before."""
        if self._refused:
            return
        self._refused = True
        self._expect_nothing()
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_refusal(status))
        self.transport.close()

    def _expect_within(self, seconds: float) -> None:
        """Close the connection unless the next step of the request has come by then."""
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _refusal(status: HTTPStatus) -> bytes:
    text = status.phrase.encode()
    retry = b"retry-after: 5\r\n" if status in (429, 503) else b""
    return (
        b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
        b"%sconnection: close\r\n\r\n%s" % (status, text, len(text), retry, text)
    )
