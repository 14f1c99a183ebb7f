"""The progress of a run as server-sent events: an event for each change, the last one at the run's end."""

import asyncio
import time
from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.oncall import queries
from calmo_pagerduty.oncall.model import ENDED_STATES, OnCallRun
from ingress.api.authentication import revalidate_principal
from ingress.oncall.models import oncall_run_model

POLL_SECONDS = 0.3
#: The streams of a revoked key end within this time.
KEY_CHECK_SECONDS = 2.0
#: How long a run may go on without a change. It also ends the stream of a run that never begins.
STALL_TIMEOUT_SECONDS = 900.0


class RunStream:
    """The stream of one run for one principal. Setting `closing` ends it."""

    def __init__(
        self,
        database: Database,
        principal: Principal,
        connection_id: str,
        run_id: str,
        closing: asyncio.Event,
    ) -> None:
        self._database = database
        self._principal = principal
        self._connection_id = connection_id
        self._run_id = run_id
        self._closing = closing

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        sent: OnCallRun | None = None
        changed_at = checked_at = time.monotonic()
        while not self._closing.is_set() and time.monotonic() - changed_at < STALL_TIMEOUT_SECONDS:
            try:
                if time.monotonic() - checked_at >= KEY_CHECK_SECONDS:
                    if not await self._is_key_valid():
                        return
                    checked_at = time.monotonic()
                run = await self._read()
            except StoreUnavailable:
                run = None
            if run is not None and run != sent:
                sent, changed_at = run, time.monotonic()
                yield ServerSentEvent(data=oncall_run_model(run).model_dump_json(), event=run.state)
                if run.state in ENDED_STATES:
                    return
            await asyncio.sleep(POLL_SECONDS)

    async def _read(self) -> OnCallRun | None:
        visibility = self._principal.visibility
        run = await self._database.read(lambda t: queries.get_run(t, visibility, self._run_id), visibility)
        return run if run is not None and run.connection_id == self._connection_id else None

    async def _is_key_valid(self) -> bool:
        principal = await self._database.read(revalidate_principal(self._principal))
        if principal is None or FINDINGS_READ not in principal.permissions:
            return False
        self._principal = principal
        return True
