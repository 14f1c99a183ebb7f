"""Load what an account's page is made of, and make it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import queries as findings
from calmo_pagerduty.findings.lifecycle import OPEN_STATES
from calmo_pagerduty.findings.queries import FindingFilter, FindingPage, StoredResult
from calmo_pagerduty.oncall.account_figures import account_figures
from calmo_pagerduty.oncall.account_report import (
    AccountReport,
    report_findings,
    report_part,
    result_limits,
)
from calmo_pagerduty.oncall.finding_texts import zone_of
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable

#: A page shows so many findings; the list has all.
MAX_FINDINGS = 100
NO_SNAPSHOT = "plots are missing: the snapshot is no longer kept, or can't be read"


class AccountReportService:
    """Every method raises StoreUnavailable."""

    def __init__(self, database: Database, snapshots: SnapshotReader) -> None:
        self._database = database
        self._snapshots = snapshots

    async def make(
        self, principal: Principal, connection_id: str, with_figures: bool = True
    ) -> AccountReport | None:
        """Return the account's page as the principal may see it; None if it sees no such connection."""
        visibility, persons = principal.visibility, principal.persons
        open_findings = FindingFilter(states=tuple(OPEN_STATES), connections=(connection_id,))

        def read(tx: Transaction) -> tuple[Connection | None, FindingPage, tuple[StoredResult, ...]]:
            return (
                connections.get_connection(tx, visibility, connection_id),
                findings.list_findings(tx, visibility, persons, open_findings, MAX_FINDINGS),
                findings.list_newest_results(tx, visibility, connection_id),
            )

        connection, page, results = await self._database.read(read, visibility)
        if connection is None:
            return None
        limits = result_limits([stored.result for stored in results])
        snapshot = await self._snapshot(principal, results)
        if results and snapshot is None:
            limits.append(NO_SNAPSHOT)
        if page.next is not None:
            limits.append(f"only the {MAX_FINDINGS} worst findings are shown")
        zone = zone_of(results[0].result.time_zone).key if results else "Etc/UTC"
        figures: tuple[Figure, ...] = ()
        if snapshot is not None and with_figures:
            now = max(stored.result.now for stored in results)
            figures = await asyncio.to_thread(account_figures, snapshot, now, zone, persons)
        names = {} if snapshot is None else _names(snapshot)
        return AccountReport(
            connection_id=connection.id,
            connection_name=connection.name,
            scope=str(connection.scope),
            author=principal.who,
            made_at=int(datetime.now(UTC).timestamp()),
            time_zone=zone,
            limits=tuple(limits),
            findings=report_findings(page.findings, persons),
            parts=tuple(report_part(stored.result, stored.digest, names) for stored in results),
            figures=figures,
        )

    async def _snapshot(
        self, principal: Principal, results: tuple[StoredResult, ...]
    ) -> AccountSnapshot | None:
        """Return the snapshot of the newest result; None if it can't be had."""
        newest = max(results, key=lambda stored: stored.result.now, default=None)
        if newest is None:
            return None
        try:
            return await self._snapshots.get_by_id(principal.visibility, newest.result.snapshot_id)
        except (SnapshotNotFound, SnapshotUnreadable):
            return None


def _names(snapshot: AccountSnapshot) -> Mapping[str, str]:
    """Return names by PagerDuty's ids, of things and not of persons."""
    names: dict[str, str] = {}
    for schedule in snapshot.schedules:
        names[schedule.id] = schedule.name
    for policy in snapshot.policies:
        names[policy.id] = policy.name
    for service in snapshot.services:
        names[service.id] = service.name
    for team in snapshot.teams:
        names[team.id] = team.name
    return names
