"""Tells the stories of all accounts that a reader sees, from snapshots, live issues and known changes."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection, list_connections
from calmo_pagerduty.contexts.change_queries import list_changes
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.queries import IssueFilter, list_issues
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.patterns.stories import (
    AFTER_CHANGE,
    Story,
    StoryAccount,
    StoryPart,
    find_stories,
    parts_of,
    service_key,
)
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable

#: So many of the newest issues are told live.
MAX_ISSUES = 500


@dataclass(frozen=True, slots=True)
class ToldStories:
    """The stories, and the names of the accounts that were looked at, or had no snapshot to look at."""

    stories: tuple[tuple[Story, dict[str, StoryAccount]], ...]
    accounts: tuple[str, ...]
    unread: tuple[str, ...]


class StoryService:
    """Every method raises StoreUnavailable."""

    def __init__(self, database: Database, snapshots: SnapshotReader) -> None:
        self._database = database
        self._snapshots = snapshots

    async def tell(self, principal: Principal, window: Span) -> ToldStories:
        """Return the stories that began in the window. Accounts of different owners share none."""
        visibility = principal.visibility
        connections = await self._database.read(lambda tx: list_connections(tx, visibility), visibility)
        by_owner: dict[Scope, list[StoryAccount]] = defaultdict(list)
        unread = []
        for connection in connections:
            account = await self._account(principal, connection, window)
            if account is None:
                unread.append(connection.name)
            else:
                by_owner[connection.scope].append(account)
        issues = await self._issues(principal)
        told: list[tuple[Story, dict[str, StoryAccount]]] = []
        for accounts in by_owner.values():
            known = {account.connection_id: account for account in accounts}
            parts = _parts(accounts, issues, window)
            found = await asyncio.to_thread(find_stories, accounts, parts)
            told += [(story, known) for story in found]
        told.sort(key=lambda pair: (-pair[0].parts[0].at, pair[0].parts[0].incident_id))
        names = tuple(sorted(account.name for accounts in by_owner.values() for account in accounts))
        return ToldStories(tuple(told), names, tuple(unread))

    async def _account(
        self, principal: Principal, connection: Connection, window: Span
    ) -> StoryAccount | None:
        visibility, since = principal.visibility, datetime.fromtimestamp(window.start - AFTER_CHANGE, UTC)
        try:
            snapshot = await self._snapshots.get(visibility, connection.id)
        except (SnapshotNotFound, SnapshotUnreadable):
            return None
        changes = await self._database.read(
            lambda tx: list_changes(tx, visibility, connection.id, since), visibility
        )
        told = tuple((int(change.at.timestamp()), change.summary, change.service_ids) for change in changes)
        return StoryAccount(connection.id, connection.name, snapshot, told)

    async def _issues(self, principal: Principal) -> Sequence[Issue]:
        if ISSUES_READ not in principal.permissions:
            return ()

        def read(tx: Transaction) -> Sequence[Issue]:
            wanted = IssueFilter(origins=("incident",))
            return list_issues(tx, principal.visibility, wanted, MAX_ISSUES).issues

        return await self._database.read(read, principal.visibility)


def _parts(accounts: Sequence[StoryAccount], issues: Sequence[Issue], window: Span) -> list[StoryPart]:
    """Return the incidents of the window, each once: what an issue says is newer than a snapshot."""
    found = {
        (part.connection_id, part.incident_id): part
        for account in accounts
        for part in parts_of(account, window)
    }
    known = {account.connection_id for account in accounts}
    for issue in issues:
        ref, at = issue.ref, int(issue.created_at.timestamp())
        if ref.connection_id not in known or issue.service is None or not window.start <= at < window.end:
            continue
        found[ref.connection_id, ref.incident_id] = StoryPart(
            ref.connection_id,
            ref.incident_id,
            issue.number,
            issue.url,
            service_key(ref.connection_id, issue.service.id),
            at,
            int(issue.resolved_at.timestamp()) if issue.resolved_at else None,
        )
    return list(found.values())
