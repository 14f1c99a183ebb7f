"""See to it that every open call has a workflow: one that was lost with Temporal is started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from calmo_pagerduty.temporal.handle import TemporalUnavailable
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.store import Place, ToolCall
from ingress.api.errors import ActionRefused

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
#: A call that runs is looked after when it is older than this; one that waits, when it should have expired.
RUNNING_FOR = timedelta(seconds=30)
#: Calls that are looked after in one look: all of them have their turn, look by look.
EACH_LOOK = 200
#: Of those, how many at once: one that nobody takes over holds up no more than itself.
AT_ONCE = 20


class CallKeeper:
    """Starting a workflow that is there already does nothing, so several processes may keep."""

    def __init__(self, database: Database, resume: Callable[[ToolCall], Awaitable[None]]) -> None:
        self._database = database
        self._resume = resume
        self._after: Place | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look_once()
            except StoreUnavailable as error:
                logger.warning("keeping_calls_failed", extra={"error": str(error)})

    async def look_once(self) -> int:
        """Resume what needs it, first what no workflow ever had; return how many. Raises StoreUnavailable."""
        now, after = datetime.now(UTC), self._after
        since = now - RUNNING_FOR

        def read(transaction: Transaction) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
            lost = tool_calls.list_not_taken_over(transaction, since, EACH_LOOK)
            return lost, tool_calls.list_overdue(transaction, since, now, after, EACH_LOOK)

        lost, overdue = await self._database.read(read)
        self._after = Place.of(overdue[-1]) if len(overdue) == EACH_LOOK else None
        calls = {call.id: call for call in (*lost, *overdue)}.values()
        turns = asyncio.Semaphore(AT_ONCE)
        faults = [
            fault for fault in await asyncio.gather(*(self._keep(call, turns) for call in calls)) if fault
        ]
        if faults:
            logger.warning("calls_not_resumed", extra={"count": len(faults), "error": faults[0]})
        return len(calls) - len(faults)

    async def _keep(self, call: ToolCall, turns: asyncio.Semaphore) -> str | None:
        """Resume one call; return what kept it from that."""
        async with turns:
            try:
                await self._resume(call)
            except ActionRefused:
                pass  # what its incident's state forbids by now has ended by that
            except (StoreUnavailable, TemporalUnavailable) as error:
                return str(error)
        return None
