"""The steps of a version of an incident's context: begin, assess and finish, or fail."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.contexts import issue_history_queries as issue_history, store as contexts
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.gathering.local_sources import NO_CREDENTIAL_TEXT
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.runs import ContextOutcome, ContextState, is_degraded
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart, StoredContext
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING

logger = logging.getLogger(__name__)

NOT_READ_IN_TIME = "it could not be read in time"


class CannotAssess(Exception):
    """A bug of ours, which another attempt would meet too; the message is only the exception's type."""


class VersionRemoved(Exception):
    """The version does not exist any more."""


class ContextToStart(FrozenModel):
    """The context to start. `begun_by` names the gathering and is the same in each attempt."""

    ref: IncidentRef
    reasons: tuple[str, ...]
    begun_by: str | None = None


class StartedContext(FrozenModel):
    """What is known before any request. Without `has_token`, PagerDuty can't be asked."""

    version: int
    scope: str
    has_token: bool
    writes_note: bool = False
    service_id: str | None = None
    policy_id: str | None = None


class ContextToFinish(FrozenModel):
    """The version of a context to assess or to fail."""

    ref: IncidentRef
    version: int


class ContextVersionService:
    """Begins and ends versions in the database. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, assessor: Assessor) -> None:
        self._database = database
        self._assessor = assessor

    async def begin(self, order: ContextToStart) -> StartedContext:
        """Begin a version. Raises ConnectionRemoved."""
        now = datetime.now(UTC)
        return await self._database.write(lambda t: _start_version(t, order, now))

    async def assess(self, order: ContextToFinish) -> ContextOutcome:
        """Assess what was gathered, and store the document.

        Raises VersionRemoved, CannotAssess.
        """
        try:
            return await self._assess(order.ref, order.version)
        except (StoreUnavailable, VersionRemoved):
            raise
        # A bug in an analysis may raise anything. Temporal writes an exception's message into the history,
        # and the message may hold people's texts: only the type goes on.
        except Exception as error:
            logger.error("context_not_assessed", extra={"error": type(error).__name__})
            raise CannotAssess(type(error).__name__) from None

    async def fail(self, order: ContextToFinish) -> ContextOutcome:
        """Mark a version as failed."""
        now = datetime.now(UTC)
        outcome = ContextOutcome(version=order.version, state=ContextState.FAILED, is_degraded=True)
        await self._database.write(
            lambda t: contexts.mark_version_finished(
                t, order.ref, order.version, outcome.state, now, is_degraded=True
            )
        )
        return outcome

    async def _assess(self, ref: IncidentRef, version: int) -> ContextOutcome:
        started = await self._database.read(lambda t: contexts.get_started_version(t, ref, version))
        if started is None:
            raise VersionRemoved("there is no such version")
        if started.state is not ContextState.GATHERING:
            # An earlier attempt ended it, and the data of its parts is gone.
            parts = await self._database.read(lambda t: _all_parts(t, ref, version))
            return _outcome(started, parts)
        now = datetime.now(UTC)
        assessment = await self._assessor.assess(ref, version, now)
        parts = await self._database.read(lambda t: _all_parts(t, ref, version))
        requests = sum(part.requests for part in parts.values())
        degraded = is_degraded({source: part.state for source, part in parts.items()})
        document = IncidentContext(
            issue_id=ref.issue_id,
            connection_id=ref.connection_id,
            incident_id=ref.incident_id,
            version=version,
            reasons=started.reasons,
            begun_at=started.begun_at,
            finished_at=now,
            requests=requests,
            is_degraded=degraded,
            assessment=assessment,
            sources=tuple(parts[source].report for source in Source),
        ).model_dump(mode="json", by_alias=True)
        await self._database.write(
            lambda t: contexts.mark_version_finished(
                t,
                ref,
                version,
                ContextState.COMPLETE,
                now,
                requests=requests,
                is_degraded=degraded,
                document=document,
            )
        )
        ended = replace(started, state=ContextState.COMPLETE, requests=requests, is_degraded=degraded)
        return _outcome(ended, parts)


def _outcome(ended: StoredContext, parts: Mapping[Source, ContextPart]) -> ContextOutcome:
    return ContextOutcome(
        version=ended.version,
        state=ended.state,
        is_degraded=ended.is_degraded,
        requests=ended.requests,
        counts={source: part.count for source, part in parts.items()},
    )


def _start_version(tx: Transaction, order: ContextToStart, now: datetime) -> StartedContext:
    ref = order.ref
    connection = connections.get_connection(tx, EVERYTHING, ref.connection_id)
    if connection is None:
        raise ConnectionRemoved("the connection was removed")
    issue = issue_history.get_issue(tx, ref)
    return StartedContext(
        version=contexts.insert_version(tx, ref, order.reasons, now, order.begun_by),
        scope=str(connection.scope),
        has_token=connection.token_kind is not None,
        writes_note=connection.context_note and connection.token_kind is not None,
        service_id=issue.service.id if issue and issue.service else None,
        policy_id=issue.escalation_policy.id if issue and issue.escalation_policy else None,
    )


def _all_parts(tx: Transaction, ref: IncidentRef, version: int) -> Mapping[Source, ContextPart]:
    """Return every source's part; a source without a stored part gets one that is unavailable."""
    stored = contexts.get_parts(tx, ref, version)
    connection = connections.get_connection(tx, EVERYTHING, ref.connection_id)
    has_token = connection is not None and connection.token_kind is not None
    reason = NOT_READ_IN_TIME if has_token else NO_CREDENTIAL_TEXT
    return {
        source: stored.get(source) or ContextPart(source, SourceState.UNAVAILABLE, reason)
        for source in Source
    }
