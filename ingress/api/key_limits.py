"""How much an API key may do at once, in each process: so that one tenant's key holds up nobody else."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ingress.api.errors import TooMuchAtOnce, answer_own_error


class KeyLimit:
    """Counts what each key has under way, and refuses what is above `at_most`."""

    def __init__(self, at_most: int, what: str) -> None:
        self.at_most = at_most
        self._what = what
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def taken(self, key_id: str) -> Iterator[None]:
        """Count one more within the block. Raises TooMuchAtOnce."""
        if self._under_way[key_id] >= self.at_most:
            raise TooMuchAtOnce(
                f"this API key has {self.at_most} {self._what} under way; end one, or try again in a second"
            )
        self._under_way[key_id] += 1
        try:
            yield
        finally:
            self._under_way[key_id] -= 1
            if not self._under_way[key_id]:
                del self._under_way[key_id]


REQUESTS = KeyLimit(50, "requests")
#: Each stream reads the database several times a second.
STREAMS = KeyLimit(10, "live streams")


class LiveResponse(EventSourceResponse):
    """A stream of events, counted for the key until it ends. It answers 429 above the limit."""

    def __init__(self, key_id: str, events: AsyncIterator[ServerSentEvent], ping: int) -> None:
        super().__init__(events, ping=ping, shutdown_event=None)
        self._key_id = key_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with STREAMS.taken(self._key_id):
                await super().__call__(scope, receive, send)
        except TooMuchAtOnce as error:
            await (await answer_own_error(Request(scope), error))(scope, receive, send)
