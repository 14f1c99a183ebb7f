"""Whether the caller is on call, and who is paged next, from the newest account snapshots."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cachetools import LRUCache

from bootstrap.services import Services
from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.coverage.duty import NextPage, OnDuty, duty_of, next_page
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.queries import IssueFilter
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotUnreadable

logger = logging.getLogger(__name__)

#: A page does not wait longer for the line: it is complete on the next page.
WAIT_SECONDS = 0.5
#: An operator's key sees more accounts than a person is on call in.
MAX_ACCOUNTS = 3
MAX_ISSUES = 20


@dataclass(frozen=True, slots=True)
class Duty:
    """When the caller is on call: now if `is_now`, else next. Times are UTC; `ends_at` None: not known."""

    is_now: bool
    policy_name: str
    level: int
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next page that an open incident causes, unless somebody acknowledges it before."""

    at: datetime
    names: tuple[str, ...]
    issue_id: str


@dataclass(frozen=True, slots=True)
class OnCallLine:
    """What is known: without a snapshot, nothing. `duty` None: the caller is not on call as far as known."""

    is_known: bool = False
    duty: Duty | None = None
    upcoming: Upcoming | None = None
    #: The next page of each open incident of which it is known, by the issue's id.
    pages: Mapping[str, Upcoming] = field(default_factory=dict)
    #: The caller's name at PagerDuty; empty if it is not known.
    name: str = ""


class OnCallLines:
    """Reads the line; a process has one instance, which keeps indexes of snapshots."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._indexes: LRUCache[str, OnCallIndex] = LRUCache(MAX_ACCOUNTS)
        self._running: set[asyncio.Task[OnCallLine]] = set()

    async def read(self, caller: Principal, now: datetime) -> OnCallLine:
        """Return the line, or an empty one while a large snapshot loads. Raises StoreUnavailable."""
        if caller.person is None and FINDINGS_READ not in caller.permissions:
            return OnCallLine()
        task = asyncio.create_task(self._read(caller, now))
        self._running.add(task)
        task.add_done_callback(self._end)
        await asyncio.wait({task}, timeout=WAIT_SECONDS)
        return task.result() if task.done() else OnCallLine()

    def _end(self, task: "asyncio.Task[OnCallLine]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("on_call_line_unreadable", extra={"error": type(error).__name__})

    async def _read(self, caller: Principal, now: datetime) -> OnCallLine:
        ids, issues = await self._services.database.read(lambda t: _to_look_at(t, caller), caller.visibility)
        indexes = {}
        for connection_id in ids:
            try:
                snapshot = await self._services.snapshot_reader.get(caller.visibility, connection_id)
            except (SnapshotNotFound, SnapshotUnreadable):
                continue
            found = self._indexes.get(snapshot.id) or OnCallIndex(snapshot)
            indexes[connection_id] = self._indexes[snapshot.id] = found
        return await asyncio.to_thread(_line, indexes, issues, caller, int(now.timestamp()))


def _to_look_at(tx: Transaction, caller: Principal) -> tuple[list[str], tuple[Issue, ...]]:
    """Return the connections to look at, and the incidents that escalate."""
    found = [connection.id for connection in connections.list_connections(tx, caller.visibility)]
    if FINDINGS_READ not in caller.permissions:
        return found[:MAX_ACCOUNTS], ()
    triggered = IssueFilter(statuses=(IncidentStatus.TRIGGERED,), origins=("incident",))
    page = issue_queries.list_issues(tx, caller.visibility, triggered, MAX_ISSUES)
    # PagerDuty escalates incidents of high urgency only.
    return found[:MAX_ACCOUNTS], tuple(issue for issue in page.issues if issue.urgency == "high")


def _line(
    indexes: dict[str, OnCallIndex], issues: Iterable[Issue], caller: Principal, now: int
) -> OnCallLine:
    duties = [
        duty
        for index in indexes.values()
        if caller.person is not None and (duty := duty_of(index, caller.person, now)) is not None
    ]
    first = min(duties, key=lambda duty: (max(duty.start, now), duty.level), default=None)
    pages = {
        issue.ref.issue_id: _upcoming(upcoming, issue, indexes[issue.ref.connection_id])
        for issue in issues
        if issue.ref.connection_id in indexes
        and (upcoming := _next_page(indexes[issue.ref.connection_id], issue)) is not None
        and upcoming.at > now
        and upcoming.user_ids
    }
    soonest = min(pages.values(), key=lambda page: page.at, default=None)
    shown = None if first is None else _duty(first, now)
    known = (index.users.get(caller.person or "") for index in indexes.values())
    name = next((user.name for user in known if user is not None), "")
    return OnCallLine(bool(indexes), shown, soonest, pages, name)


def _next_page(index: OnCallIndex, issue: Issue) -> NextPage | None:
    if issue.escalation_policy is None or issue.assigned_as_of is None:
        return None
    assignees = [assignee.id for assignee in issue.assignees]
    return next_page(index, issue.escalation_policy.id, assignees, int(issue.assigned_as_of.timestamp()))


def _duty(duty: OnDuty, now: int) -> Duty:
    ends_at = None if duty.end is None else datetime.fromtimestamp(duty.end, UTC)
    starts_at = datetime.fromtimestamp(duty.start, UTC)
    return Duty(duty.is_now(now), duty.policy_name, duty.level, starts_at, ends_at)


def _upcoming(page: NextPage, issue: Issue, index: OnCallIndex) -> Upcoming:
    users = index.users
    names = tuple(users[user_id].name if user_id in users else user_id for user_id in page.user_ids)
    return Upcoming(datetime.fromtimestamp(page.at, UTC), names, issue.ref.issue_id)
