"""The progress of a gathering as server-sent events: an event for each finished source, then the end."""

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
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from ingress.api.authentication import revalidate_principal
from ingress.contexts.models import EndEvent, SourceEvent, context_path

POLL_SECONDS = 0.2
#: The streams of a revoked key end within this time.
KEY_CHECK_SECONDS = 2.0
#: How long a requested version may take to begin.
START_TIMEOUT_SECONDS = 60.0
#: How long a gathering may go on without a finished source. No source waits longer for its turn and its
#: answers. The limit is needed because a gathering that an operator terminated never reports an end.
STALL_TIMEOUT_SECONDS = 900.0


class ProgressStream:
    """The stream of one version for one principal. Setting `closing` ends it."""

    def __init__(
        self, database: Database, principal: Principal, issue_id: str, version: int, closing: asyncio.Event
    ) -> None:
        self._database = database
        self._principal = principal
        self._issue_id = issue_id
        self._version = version
        self._closing = closing
        self._sent: dict[str, SourceState] = {}

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        progress_at = checked_at = time.monotonic()
        timeout = START_TIMEOUT_SECONDS
        while not self._closing.is_set():
            try:
                if time.monotonic() - checked_at >= KEY_CHECK_SECONDS:
                    if not await self._is_key_valid():
                        return
                    checked_at = time.monotonic()
                progress, ended = await self._database.read(self._read_progress(), self._principal.visibility)
            except StoreUnavailable:
                progress, ended = None, None
            if progress is not None and progress.version == self._version:
                events = self._new_events(progress)
                if events or timeout != STALL_TIMEOUT_SECONDS:
                    progress_at, timeout = time.monotonic(), STALL_TIMEOUT_SECONDS
                for event in events:
                    yield event
            if ended is not None:
                yield self._end(ended)
                return
            if time.monotonic() - progress_at > timeout:
                state: Literal["late", "stalled"] = "late" if timeout == START_TIMEOUT_SECONDS else "stalled"
                end = EndEvent(version=self._version, state=state, url=context_path(self._issue_id))
                yield ServerSentEvent(data=end.model_dump_json(), event=state)
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _is_key_valid(self) -> bool:
        principal = await self._database.read(revalidate_principal(self._principal))
        if principal is None or ISSUES_READ not in principal.permissions:
            return False
        self._principal = principal
        return True

    def _read_progress(self) -> Callable[[Transaction], tuple[ContextProgress | None, StoredContext | None]]:
        """Return a read of the newest version's progress, and of the awaited version once it has ended."""
        visibility = self._principal.visibility

        def read(transaction: Transaction) -> tuple[ContextProgress | None, StoredContext | None]:
            versions = contexts.list_versions(transaction, visibility, self._issue_id)
            # If the awaited version was deleted as too old, the next stored version stands for it.
            ended = [
                context
                for context in versions
                if context.version >= self._version and context.state is not ContextState.GATHERING
            ]
            return contexts.get_progress(transaction, visibility, self._issue_id), ended[
                -1
            ] if ended else None

        return read

    def _new_events(self, progress: ContextProgress) -> list[ServerSentEvent]:
        """Return an event for each source that finished since the last call."""
        finished = [report for report in progress.sources if report.state is not SourceState.GATHERING]
        events = []
        for report in finished:
            if self._sent.get(report.source) is report.state:
                continue
            self._sent[report.source] = report.state
            source = SourceEvent(
                version=progress.version,
                source=report.source,
                title=report.title,
                state=report.state,
                reason=report.reason,
                count=report.count,
                requests=report.requests,
                seconds=report.seconds,
                done=len(self._sent),
                of=len(progress.sources),
            )
            events.append(ServerSentEvent(data=source.model_dump_json(), event="source"))
        return events

    def _end(self, context: StoredContext) -> ServerSentEvent:
        end = EndEvent(
            version=context.version,
            state=context.state,
            is_degraded=context.is_degraded,
            requests=context.requests,
            url=f"{context_path(self._issue_id)}?version={context.version}",
        )
        return ServerSentEvent(data=end.model_dump_json(), event="complete")
