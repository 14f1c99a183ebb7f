"""How a gathering goes, as server-sent events: each source as it lands, then that it is complete."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

from sse_starlette import ServerSentEvent

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.runs import ContextProgress, ContextState
from calmo_pagerduty.contexts.sources import SourceState
from calmo_pagerduty.contexts.store import StoredContext
from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from ingress.api.authentication import revalidate_principal
from ingress.contexts.models import EndEvent, SourceEvent, context_path

POLL_SECONDS = 0.2
#: A key that is revoked ends its streams within this time.
KEY_CHECK_SECONDS = 2.0
#: How long a version that was asked for may take to begin.
START_TIMEOUT_SECONDS = 60.0
#: How long one that has begun may go on without a source landing: longer than any waits in the queue and
#: has patience for. A gathering that an operator terminated never ends by itself.
STALL_TIMEOUT_SECONDS = 900.0


class ProgressStream:
    """One reader's view of one version. `closing` ends it."""

    def __init__(
        self, database: Database, principal: Principal, issue_id: str, version: int, closing: asyncio.Event
    ) -> None:
        self._database = database
        self._principal = principal
        self._issue_id = issue_id
        self._version = version
        self._closing = closing
        self._told: dict[str, SourceState] = {}

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        heard_at = checked_at = time.monotonic()
        patience = START_TIMEOUT_SECONDS
        while not self._closing.is_set():
            try:
                if time.monotonic() - checked_at >= KEY_CHECK_SECONDS:
                    if not await self._is_key_valid():
                        return
                    checked_at = time.monotonic()
                progress, over = await self._database.read(self._read_progress(), self._principal.visibility)
            except StoreUnavailable:
                progress, over = None, None
            if progress is not None and progress.version == self._version:
                news = self._new_events(progress)
                if news or patience != STALL_TIMEOUT_SECONDS:
                    heard_at, patience = time.monotonic(), STALL_TIMEOUT_SECONDS
                for event in news:
                    yield event
            if over is not None:
                yield self._end(over)
                return
            if time.monotonic() - heard_at > patience:
                state: Literal["late", "stalled"] = "late" if patience == START_TIMEOUT_SECONDS else "stalled"
                late = EndEvent(version=self._version, state=state, url=context_path(self._issue_id))
                yield ServerSentEvent(data=late.model_dump_json(), event=state)
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _is_key_valid(self) -> bool:
        known = await self._database.read(revalidate_principal(self._principal))
        if known is None or ISSUES_READ not in known.permissions:
            return False
        self._principal = known
        return True

    def _read_progress(self) -> Callable[[Transaction], tuple[ContextProgress | None, StoredContext | None]]:
        """Return a read of how the newest version stands, and of the awaited one if it has ended."""
        seen_by = self._principal.visibility

        def look(transaction: Transaction) -> tuple[ContextProgress | None, StoredContext | None]:
            found = contexts.list_versions(transaction, seen_by, self._issue_id)
            # One that was dropped as too old has ended too: the next that is left stands for it.
            ended = [
                context
                for context in found
                if context.version >= self._version and context.state is not ContextState.GATHERING
            ]
            over = ended[-1] if ended else None
            return contexts.get_progress(transaction, seen_by, self._issue_id), over

        return look

    def _new_events(self, progress: ContextProgress) -> list[ServerSentEvent]:
        """Return an event for each source that has landed since."""
        landed = [report for report in progress.sources if report.state is not SourceState.GATHERING]
        fresh = [report for report in landed if self._told.get(report.source) is not report.state]
        events = []
        for report in fresh:
            self._told[report.source] = report.state
            source = SourceEvent(
                version=progress.version,
                source=report.source,
                title=report.title,
                state=report.state,
                reason=report.reason,
                count=report.count,
                requests=report.requests,
                seconds=report.seconds,
                done=len(self._told),
                of=len(progress.sources),
            )
            events.append(ServerSentEvent(data=source.model_dump_json(), event="source"))
        return events

    def _end(self, over: StoredContext) -> ServerSentEvent:
        end = EndEvent(
            version=over.version,
            state=over.state,
            is_degraded=over.is_degraded,
            requests=over.requests,
            url=f"{context_path(self._issue_id)}?version={over.version}",
        )
        return ServerSentEvent(data=end.model_dump_json(), event="complete")
