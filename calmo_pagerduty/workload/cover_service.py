"""Requests for cover: proposed after a rough night or asked by people, and answered once.

Nothing here edits a schedule. An acceptance creates the call of a tool that writes, under the rights of
whoever accepts; the connection's rules may make it wait for an approval.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.absences import store as absences
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span, clip
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable
from calmo_pagerduty.tool_calls.authorization_service import ToolAuthorizer
from calmo_pagerduty.tool_calls.model import Channel
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.workload import queries, store
from calmo_pagerduty.workload.cover import CoverSuggestion, NotOnCall, suggest_cover
from calmo_pagerduty.workload.cover_requests import (
    CoverAnswer,
    CoverReason,
    CoverRefused,
    CoverRequest,
    CoverState,
    answered,
)
from calmo_pagerduty.workload.rough_nights import RoughNight, on_call_in, rough_nights
from calmo_pagerduty.workload.rows import told_event
from calmo_pagerduty.workload.settings_service import WorkloadSettingsService
from calmo_pagerduty.workload.told_pages import with_told_pages

TOOL = "create_schedule_override"
OURSELVES = "rough night"
#: How long a request that a person makes stays open, at most until the time to cover ends.
ASKED_FOR = timedelta(days=7)
#: How far back events of pages are read: a night that ended within the last day began within this.
TOLD_SINCE = timedelta(hours=48)


class NightToCover(FrozenModel):
    """A rough night, by the hash of its person and date: a workflow's history names nobody."""

    connection_id: str
    night: str


class CoverProposed(FrozenModel):
    """The request that was made. None: nobody needs cover, or nobody can give it. Times are UTC."""

    request_id: str | None = None
    expires_at: datetime | None = None
    candidates: int = 0


class CoverToAdvance(FrozenModel):
    """`is_silent`: those who were asked have not answered, so the next one is asked too."""

    request_id: str
    is_silent: bool = True


class CoverAdvanced(FrozenModel):
    state: CoverState
    asked: int


class CoverService:
    """Makes and answers requests for cover. Every method raises StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        snapshots: SnapshotReader,
        settings: WorkloadSettingsService,
        authorizer: ToolAuthorizer,
    ) -> None:
        self._database = database
        self._snapshots = snapshots
        self._settings = settings
        self._authorizer = authorizer

    async def find_rough_nights(self, connection_id: str, now: datetime) -> tuple[tuple[str, int], ...]:
        """Return (hash, when to ask in epoch seconds) of the newest rough nights, by the newest snapshot."""
        try:
            nights = await self._rough_nights(connection_id, now)
        except (SnapshotNotFound, SnapshotUnreadable):
            return ()
        return tuple((night_hash(connection_id, night), night.ask_at) for night in nights)

    async def propose(self, order: NightToCover) -> CoverProposed:
        """Ask the least loaded eligible person to cover the day after a rough night, once."""
        now = datetime.now(UTC)
        snapshot = await self._snapshot_of_now(order.connection_id, now)
        settings = await self._settings.in_force(EVERYTHING, order.connection_id)
        found = {
            night_hash(order.connection_id, night): night
            for night in rough_nights(snapshot, int(now.timestamp()), settings.rough_nights)
        }
        night = found.get(order.night)
        if night is None or night.schedule_id is None or night.cover is None:
            return CoverProposed()
        remaining = Span(max(night.cover.start, int(now.timestamp())), night.cover.end)
        try:
            suggestion = await _suggest(
                snapshot,
                night.schedule_id,
                night.person.user_id,
                remaining,
                now,
                not_these=on_call_in(snapshot, night.hours),
            )
        except NotOnCall:
            return CoverProposed()
        candidates = [item.person.user_id for item in suggestion.candidates if item.covers_all]
        if not candidates:
            return CoverProposed()
        expires_at = min(
            now + timedelta(hours=settings.rough_nights.expires_after_hours), _utc(remaining.end)
        )
        request = CoverRequest(
            id=f"cover_{order.night}",
            connection_id=order.connection_id,
            schedule_id=night.schedule_id,
            user_id=night.person.user_id,
            reason=CoverReason.ROUGH_NIGHT,
            evidence={
                "interruptions": night.interruptions,
                "night_before": night.morning.isoformat(),
                "incident_ids": list(night.incident_ids),
            },
            state=CoverState.OPEN,
            starts_at=_utc(remaining.start),
            ends_at=_utc(remaining.end),
            candidates=tuple(candidates),
            asked=tuple(candidates[:1]),
            declined=(),
            created_by=OURSELVES,
            created_at=now,
            expires_at=expires_at,
        )
        return await self._database.write(lambda tx: _inserted(tx, request))

    async def advance(self, order: CoverToAdvance) -> CoverAdvanced:
        """Ask the next person too, or let the request expire if its time ran out. An ended one stays."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> CoverAdvanced:
            request = store.get_request(tx, order.request_id)
            if request is None:
                return CoverAdvanced(state=CoverState.WITHDRAWN, asked=0)
            request = _without_absent(tx, request)
            is_over = now >= request.expires_at
            if request.state is CoverState.OPEN and (is_over or order.is_silent):
                answer = CoverAnswer.EXPIRE if is_over else CoverAnswer.ASK_NEXT
                request = answered(request, answer, None, OURSELVES, now)
                store.update_request(tx, request)
            return CoverAdvanced(state=request.state, asked=len(request.asked))

        return await self._database.write(write)

    async def expire_due(self, now: datetime) -> int:
        """Let requests expire whose time ran out, and return their number."""

        def write(tx: Transaction) -> int:
            due = store.list_expired_requests(tx, now, 100)
            for request in due:
                store.update_request(tx, answered(request, CoverAnswer.EXPIRE, None, OURSELVES, now))
            return len(due)

        return await self._database.write(write)

    async def suggest(
        self, principal: Principal, connection_id: str, schedule_id: str, user_id: str, asked: Span
    ) -> tuple[AccountSnapshot, CoverSuggestion]:
        """Suggest who covers a time. Raises NotOnCall, CoverRefused, SnapshotNotFound, SnapshotUnreadable."""
        snapshot = await self._snapshots.get(principal.visibility, connection_id)
        return snapshot, await _suggest(snapshot, schedule_id, user_id, asked, datetime.now(UTC))

    async def ask(
        self, principal: Principal, suggestion: CoverSuggestion, connection_id: str, asked: Span
    ) -> CoverRequest:
        """Ask everybody who can cover all of a time, at once: the first acceptance closes it.

        Raises CoverRefused: nobody can.
        """
        now = datetime.now(UTC)
        span = Span(suggestion.spans[0].start, suggestion.spans[-1].end)
        candidates = tuple(item.person.user_id for item in suggestion.candidates if item.covers_all)
        if not candidates:
            raise CoverRefused(
                "nobody can cover all of this time: ask for parts, as the suggestion splits it"
            )
        if span.end <= now.timestamp():
            raise CoverRefused("this time is over")
        request = CoverRequest(
            id=f"cover_{secrets.token_hex(8)}",
            connection_id=connection_id,
            schedule_id=suggestion.schedule.id,
            user_id=suggestion.person.user_id,
            reason=CoverReason.ASKED,
            evidence={},
            state=CoverState.OPEN,
            starts_at=_utc(max(span.start, asked.start)),
            ends_at=_utc(min(span.end, asked.end)),
            candidates=candidates,
            asked=candidates,
            declined=(),
            created_by=principal.who,
            created_at=now,
            expires_at=min(now + ASKED_FOR, _utc(span.end)),
        )
        await self._database.write(lambda tx: store.insert_request(tx, request), seen_by=principal.visibility)
        return request

    async def accept(
        self, principal: Principal, channel: Channel, request: CoverRequest, user_id: str
    ) -> tuple[CoverRequest, ToolCall]:
        """Accept for a person, and create the tool call that puts them on call, in one transaction.

        Raises CoverRefused, and what `ToolAuthorizer` raises: then the request stays open.
        """
        now = datetime.now(UTC)
        accepted = answered(request, CoverAnswer.ACCEPT, user_id, principal.who, now)
        arguments = {
            "schedule_id": request.schedule_id,
            "user_id": user_id,
            "start": format_iso_utc(request.starts_at),
            "end": format_iso_utc(request.ends_at),
            "replaced_user_id": request.user_id,
        }
        admission = await self._authorizer.admit(principal, channel, request.connection_id, TOOL, arguments)

        def close(tx: Transaction, call: ToolCall) -> None:
            if not store.update_request(tx, accepted):
                raise CoverRefused("another answer closed the request before")
            store.mark_called(tx, request.id, call.id)

        call = await self._authorizer.create_call(admission, request.id, close)
        current = await self.get(principal, request.id)
        return current or accepted, call

    async def answer(
        self, principal: Principal, request: CoverRequest, answer: CoverAnswer, user_id: str | None
    ) -> CoverRequest:
        """Decline or withdraw. Raises CoverRefused."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> CoverRequest:
            current = store.get_request(tx, request.id) or request
            after = answered(current, answer, user_id, principal.who, now)
            if not store.update_request(tx, after):
                raise CoverRefused("another answer closed the request before")
            return after

        return await self._database.write(write, seen_by=principal.visibility)

    async def get(self, principal: Principal, request_id: str) -> CoverRequest | None:
        return await self._database.read(
            lambda t: queries.get_visible_request(t, principal.visibility, request_id), principal.visibility
        )

    async def list_requests(
        self, principal: Principal, connection_id: str, limit: int, state: CoverState | None
    ) -> tuple[CoverRequest, ...]:
        return await self._database.read(
            lambda t: queries.list_requests(t, principal.visibility, connection_id, limit, state),
            principal.visibility,
        )

    async def _rough_nights(self, connection_id: str, now: datetime) -> tuple[RoughNight, ...]:
        settings = await self._settings.in_force(EVERYTHING, connection_id)
        if not settings.rough_nights.is_enabled:
            return ()
        snapshot = await self._snapshot_of_now(connection_id, now)
        return await asyncio.to_thread(rough_nights, snapshot, int(now.timestamp()), settings.rough_nights)

    async def _snapshot_of_now(self, connection_id: str, now: datetime) -> AccountSnapshot:
        """Return the newest snapshot with the pages that webhooks have told of since its log was read."""
        snapshot = await self._snapshots.get(EVERYTHING, connection_id)
        bodies = await self._database.read(
            lambda tx: store.list_told_bodies(tx, connection_id, now - TOLD_SINCE)
        )
        events = {event.event_id: event for event in map(told_event, bodies) if event is not None}
        return with_told_pages(snapshot, events.values(), int(now.timestamp()))


def night_hash(connection_id: str, night: RoughNight) -> str:
    """Return the same name for the same night of the same person, which tells neither."""
    return hashlib.sha256(f"{connection_id}\n{night.key}".encode()).hexdigest()[:20]


async def _suggest(
    snapshot: AccountSnapshot,
    schedule_id: str,
    user_id: str,
    asked: Span,
    now: datetime,
    not_these: Collection[str] = (),
) -> CoverSuggestion:
    schedule = next((item for item in snapshot.schedules if item.id == schedule_id), None)
    if schedule is None:
        raise CoverRefused(f"the snapshot has no schedule {schedule_id[:40]!r}")
    return await asyncio.to_thread(
        suggest_cover,
        snapshot,
        schedule,
        user_id,
        asked,
        now=int(now.timestamp()),
        away=snapshot.away(),
        not_these=not_these,
    )


def _without_absent(tx: Transaction, request: CoverRequest) -> CoverRequest:
    """Return the request without candidates who are away by a calendar that was imported meanwhile."""
    asked_for = [Span(int(request.starts_at.timestamp()), int(request.ends_at.timestamp()))]
    away = {
        absence.user_id
        for absence in absences.list_absences(tx, request.connection_id)
        if clip(asked_for, Span(absence.start, absence.end))
    }
    present = (user_id for user_id in request.candidates if user_id in request.asked or user_id not in away)
    return replace(request, candidates=tuple(present))


def _inserted(tx: Transaction, request: CoverRequest) -> CoverProposed:
    """Return what stands after the insertion: a repeated attempt finds the first one's request."""
    store.insert_request(tx, request)
    stored = store.get_request(tx, request.id) or request
    return CoverProposed(
        request_id=stored.id, expires_at=stored.expires_at, candidates=len(stored.candidates)
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
