"""See to it that every open call has a workflow: one that was lost with Temporal is started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.store import tool_calls
from calmo_pagerduty.store.database import Database, StoreUnavailable
from calmo_pagerduty.store.tool_calls import ToolCall
from ingress.api.errors import ActionRefused, TemporalUnavailable

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
#: A call that runs is looked after when it is older than this; one that waits, when it should have expired.
RUNNING_FOR = timedelta(seconds=30)
AT_ONCE = 200


class CallKeeper:
    """Starting a workflow that is there already does nothing, so several processes may keep."""

    def __init__(self, database: Database, resume: Callable[[ToolCall], Awaitable[None]]) -> None:
        self._database = database
        self._resume = resume

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look_once()
            except (StoreUnavailable, TemporalUnavailable) as error:
                logger.warning("keeping_calls_failed", extra={"error": str(error)})

    async def look_once(self) -> int:
        """Resume what needs it and return how many. Raises StoreUnavailable, TemporalUnavailable."""
        now = datetime.now(UTC)
        open_calls = await self._database.read(
            lambda t: tool_calls.list_overdue(t, now - RUNNING_FOR, now, AT_ONCE)
        )
        for call in open_calls:
            # An action that its incident's state forbids by now has ended by that.
            with suppress(ActionRefused):
                await self._resume(call)
        return len(open_calls)
