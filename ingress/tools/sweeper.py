"""See to it that every open call has a workflow: one that was lost with Temporal is started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from calmo_pagerduty.temporal.handle import TemporalUnavailable
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.store import CallCursor, ToolCall
from ingress.api.errors import ActionRefused

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0
#: A call that runs is looked after when it is older than this; one that waits, when it should have expired.
OVERDUE_AFTER = timedelta(seconds=30)
#: Calls that are looked after in one look: all of them have their turn, look by look.
BATCH_SIZE = 200
#: Of those, how many at once: one that nobody takes over holds up no more than itself.
MAX_CONCURRENT = 20


class ToolCallSweeper:
    """Starting a workflow that is there already does nothing, so several processes may keep."""

    def __init__(self, database: Database, resume: Callable[[ToolCall], Awaitable[None]]) -> None:
        self._database = database
        self._resume_call = resume
        self._after: CallCursor | None = None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once()
            except StoreUnavailable as error:
                logger.warning("keeping_calls_failed", extra={"error": str(error)})

    async def sweep_once(self) -> int:
        """Resume what needs it, first what no workflow ever had; return how many. Raises StoreUnavailable."""
        now, after = datetime.now(UTC), self._after
        since = now - OVERDUE_AFTER

        def read(transaction: Transaction) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
            lost = tool_calls.list_unaccepted_calls(transaction, since, BATCH_SIZE)
            return lost, tool_calls.list_overdue_calls(transaction, since, now, after, BATCH_SIZE)

        lost, overdue = await self._database.read(read)
        self._after = CallCursor.of(overdue[-1]) if len(overdue) == BATCH_SIZE else None
        calls = {call.id: call for call in (*lost, *overdue)}.values()
        turns = asyncio.Semaphore(MAX_CONCURRENT)
        faults = [
            fault for fault in await asyncio.gather(*(self._resume(call, turns) for call in calls)) if fault
        ]
        if faults:
            logger.warning("calls_not_resumed", extra={"count": len(faults), "error": faults[0]})
        return len(calls) - len(faults)

    async def _resume(self, call: ToolCall, turns: asyncio.Semaphore) -> str | None:
        """Resume one call; return what kept it from that."""
        async with turns:
            try:
                await self._resume_call(call)
            except ActionRefused:
                pass  # what its incident's state forbids by now has ended by that
            except (StoreUnavailable, TemporalUnavailable) as error:
                return str(error)
        return None
