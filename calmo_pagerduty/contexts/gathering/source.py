"""What one source of a context is gathered with, and what it brings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from calmo_pagerduty.contexts.account.cache import AccountCache, CacheEntry
from calmo_pagerduty.contexts.account.requests import SourceClient
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.sources import SourceState
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef


@dataclass(frozen=True, slots=True)
class SourceResult:
    """Facts as JSON, and what is lacking of them. `wants_more`: the rest is to be read in the background."""

    data: Any
    count: int
    state: SourceState = SourceState.COMPLETE
    reason: str = ""
    wants_more: bool = False
    service_id: str | None = None
    policy_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceJob:
    """One source's work: of which incident, at what time, and the means."""

    ref: IncidentRef
    version: int
    now: datetime
    client: SourceClient
    cache: AccountCache
    database: Database
    assessor: Assessor
    service_id: str | None = None
    policy_id: str | None = None
    #: Whether the incident itself could be read: only then it may be said to have no service.
    knows_incident: bool = True

    @property
    def path(self) -> str:
        return f"/incidents/{self.ref.incident_id}"

    @property
    def connection_id(self) -> str:
        return self.ref.connection_id

    def not_applicable(self, what: str) -> SourceResult:
        """The incident has none of what the source would be asked about, or it isn't known."""
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
    """What is remembered: lacking if it is older than it should be, or more than was read."""
    if entry.trouble is not None:
        return partial_result(data, count, f"as of {entry.fetched_at:%Y-%m-%d %H:%M} UTC: {entry.trouble}")
    return SourceResult(data, count) if is_whole else partial_result(data, count, more)
