"""Make sure that every open call has a workflow, also after Temporal lost its data."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.store import CallCursor, ToolCall
from ingress.api.errors import ActionRefused

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0
#: A running call older than this is resumed. A call that waits for approval is resumed once it has expired.
OVERDUE_AFTER = timedelta(seconds=30)
#: At most this many calls per sweep. The next sweep continues after the last of them.
BATCH_SIZE = 200
#: At most this many at once, so that a call that must wait does not delay all others.
MAX_CONCURRENT = 20


class ToolCallSweeper:
    """Resumes open calls. Several processes may sweep, because resuming a call twice does no harm."""

    def __init__(self, database: Database, resume: Callable[[ToolCall], Awaitable[None]]) -> None:
        self._database = database
        self._resume_call = resume
        self._after: CallCursor | None = None

    async def run(self) -> None:
        """Start lost workflows of open calls again, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once()
            except StoreUnavailable as error:
                logger.warning("keeping_calls_failed", extra={"error": str(error)})

    async def sweep_once(self) -> int:
        """Resume overdue calls, first those that no workflow accepted, and return their number.

        Raises StoreUnavailable.
        """
        now, after = datetime.now(UTC), self._after
        since = now - OVERDUE_AFTER

        def read(transaction: Transaction) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
            unaccepted = tool_calls.list_unaccepted_calls(transaction, since, BATCH_SIZE)
            return unaccepted, tool_calls.list_overdue_calls(transaction, since, now, after, BATCH_SIZE)

        unaccepted, overdue = await self._database.read(read)
        self._after = CallCursor.of(overdue[-1]) if len(overdue) == BATCH_SIZE else None
        calls = {call.id: call for call in (*unaccepted, *overdue)}.values()
        turns = asyncio.Semaphore(MAX_CONCURRENT)
        errors = [
            error for error in await asyncio.gather(*(self._resume(call, turns) for call in calls)) if error
        ]
        if errors:
            logger.warning("calls_not_resumed", extra={"count": len(errors), "error": errors[0]})
        return len(calls) - len(errors)

    async def _resume(self, call: ToolCall, turns: asyncio.Semaphore) -> str | None:
        """Resume the call. Return None, or the error's text."""
        async with turns:
            try:
                await self._resume_call(call)
            except ActionRefused:
                pass  # the refusal has ended the call
            except (StoreUnavailable, TemporalUnavailable) as error:
                return str(error)
        return None
