"""The job and the result of reading one source of a context."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calmo_pagerduty.connections.background_client import BackgroundClient
from calmo_pagerduty.contexts.account.cache import AccountCache, CacheEntry
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.sources import SourceState
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef


@dataclass(frozen=True, slots=True)
class SourceResult:
    """The source's data as JSON (see `account.codec`), and in `reason` what is missing.

    `wants_more` asks the backfill to read the rest. `service_id` and `policy_id` are the incident's.
    """

    data: Any
    count: int
    state: SourceState = SourceState.COMPLETE
    reason: str = ""
    wants_more: bool = False
    service_id: str | None = None
    policy_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceJob:
    """The incident and the time (UTC) for which a source is read, with the services that this needs."""

    ref: IncidentRef
    version: int
    now: datetime
    client: BackgroundClient
    cache: AccountCache
    database: Database
    assessor: Assessor
    service_id: str | None = None
    policy_id: str | None = None
    #: True if the incident itself was read: only then we can know that it has no service.
    knows_incident: bool = True

    @property
    def path(self) -> str:
        return f"/incidents/{self.ref.incident_id}"

    @property
    def connection_id(self) -> str:
        return self.ref.connection_id

    def not_applicable(self, what: str) -> SourceResult:
        """Return the result for an incident without the service or policy that the source is about."""
        if self.knows_incident:
            return SourceResult(None, 0, SourceState.NOT_APPLICABLE, f"the incident has no {what}")
        return SourceResult(None, 0, SourceState.UNAVAILABLE, f"the incident's {what} is not known")


#: Raises PagerDutyError, StoreUnavailable.
SourceReader = Callable[[SourceJob], Awaitable[SourceResult]]


def partial_result(data: Any, count: int, reason: str, wants_more: bool = False) -> SourceResult:
    return SourceResult(data, count, SourceState.PARTIAL, reason, wants_more)


def cached_result(
    entry: CacheEntry, data: Any, count: int, is_whole: bool = True, more: str = ""
) -> SourceResult:
    """Return the result of a cache entry; partial if the entry is stale or the list was truncated."""
    if entry.trouble is not None:
        return partial_result(data, count, f"as of {entry.fetched_at:%Y-%m-%d %H:%M} UTC: {entry.trouble}")
    return SourceResult(data, count) if is_whole else partial_result(data, count, more)
