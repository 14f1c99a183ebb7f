"""Comparing with PagerDuty: what we hold, what is added to it, and the runs that did so."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import connections, deliveries, issues, reconciliations, timeline, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.incidents.actions import OPERATION_PREFIX, RESULT_PREFIX
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.rows import issue_from_row
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.pagerduty.log_entries import TimelineEvent

#: How many incidents one question to the database is about.
BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class LocalIncident:
    """What we hold of an incident."""

    issue: Issue | None = None
    timeline_events: tuple[TimelineEvent, ...] = ()
    #: Deliveries of it are on their way: what they tell isn't known yet.
    is_in_flight: bool = False


@dataclass(frozen=True, slots=True)
class WebhookCoverage:
    """Which incidents the connection's webhooks would bring: only those may become new issues."""

    everything: bool = False
    service_ids: frozenset[str] = frozenset()
    team_ids: frozenset[str] = frozenset()

    def covers(self, service_id: str | None, team_ids: Collection[str]) -> bool:
        return self.everything or service_id in self.service_ids or not self.team_ids.isdisjoint(team_ids)


@dataclass(frozen=True, slots=True)
class ReconcileRun:
    """One comparison. `report` holds figures; it is None until there are some. Times are UTC."""

    id: int
    connection_id: str
    reason: str
    since: datetime
    until: datetime
    begun_at: datetime
    finished_at: datetime | None
    report: Mapping[str, Any] | None


def get_local_incidents(
    tx: Transaction, connection_id: str, incident_ids: Sequence[str]
) -> dict[str, LocalIncident]:
    """Return what we hold of these incidents, at most AT_ONCE of them."""
    rows = tx.execute(
        sa.select(issues).where(
            issues.c.connection_id == connection_id, issues.c.incident_id.in_(list(incident_ids))
        )
    ).all()
    found = {row.incident_id: issue_from_row(row) for row in rows}
    entries: dict[str, list[TimelineEvent]] = {}
    # What was done from here is told by PagerDuty too: only its own telling counts.
    told = ~timeline.c.event_id.like(f"{OPERATION_PREFIX}%") & ~timeline.c.event_id.like(f"{RESULT_PREFIX}%")
    of_these = timeline.c.issue_id.in_([row.id for row in rows])
    for row in tx.execute(sa.select(timeline).where(of_these, told)):
        actor = (row.actor or {}).get("id")
        known = TimelineEvent(row.event_id, row.event_type, row.occurred_at, actor, row.summary)
        entries.setdefault(row.issue_id, []).append(known)
    moving = list_incidents_in_flight(tx, connection_id, incident_ids)
    return {
        incident_id: LocalIncident(
            issue := found.get(incident_id),
            tuple(entries.get(issue.ref.issue_id, ())) if issue else (),
            incident_id in moving,
        )
        for incident_id in incident_ids
    }


def list_incidents_in_flight(tx: Transaction, connection_id: str, incident_ids: Collection[str]) -> set[str]:
    """Return those of which deliveries have not reached the timeline yet."""
    query = sa.select(deliveries.c.incident_id).where(
        deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.FORWARDED]),
        deliveries.c.connection_id == connection_id,
    )
    return set(tx.execute(query.distinct()).scalars()) & set(incident_ids)


def list_open_incidents(tx: Transaction, connection_id: str) -> list[str]:
    """Return the incidents that are open here, or of which an event was set aside."""
    query = sa.select(issues.c.incident_id).where(
        issues.c.connection_id == connection_id,
        sa.or_(issues.c.status != IncidentStatus.RESOLVED, issues.c.needs_reconcile),
    )
    return list(tx.execute(query.order_by(issues.c.id)).scalars())


def mark_reconciled(tx: Transaction, connection_id: str, incident_ids: Sequence[str]) -> None:
    """These incidents stand here as they do at PagerDuty: nothing needs to be looked at any more."""
    tx.execute(
        sa.update(issues)
        .where(
            issues.c.connection_id == connection_id,
            issues.c.incident_id.in_(list(incident_ids)),
            issues.c.needs_reconcile,
        )
        .values(needs_reconcile=False)
    )


def get_webhook_coverage(tx: Transaction, connection_id: str) -> WebhookCoverage:
    """Return what the connection's live webhooks bring; without one it is nothing."""
    rows = tx.execute(
        sa.select(webhooks.c.service_ids, webhooks.c.team_ids).where(
            webhooks.c.connection_id == connection_id,
            webhooks.c.deleted_at.is_(None),
            webhooks.c.paused_at.is_(None),
        )
    ).all()
    return WebhookCoverage(
        any(not row.service_ids and not row.team_ids for row in rows),
        frozenset(service_id for row in rows for service_id in row.service_ids),
        frozenset(team_id for row in rows for team_id in row.team_ids),
    )


def insert_run(
    tx: Transaction, connection_id: str, reason: str, since: datetime, until: datetime, now: datetime
) -> int:
    """Note that a comparison begins and return its number."""
    row = {
        "connection_id": connection_id,
        "reason": reason[:200],
        "since": since,
        "until": until,
        "begun_at": now,
    }
    made = tx.execute(reconciliations.insert().values(**row)).inserted_primary_key
    assert made is not None
    return int(made[0])


def update_run_report(tx: Transaction, run_id: int, report: Mapping[str, Any]) -> None:
    """Keep how far a run has come."""
    changed = sa.update(reconciliations).where(reconciliations.c.id == run_id)
    tx.execute(changed.values(report=dict(report)))


def mark_run_finished(tx: Transaction, run_id: int, report: Mapping[str, Any], now: datetime) -> None:
    changed = sa.update(reconciliations).where(reconciliations.c.id == run_id)
    tx.execute(changed.values(report=dict(report), finished_at=now))


def get_watermark(tx: Transaction, connection_id: str) -> datetime | None:
    """Return up to when everything that PagerDuty knows is known here too."""
    query = sa.select(connections.c.reconciled_until).where(connections.c.id == connection_id)
    moment: datetime | None = tx.execute(query).scalar()
    return moment


def update_watermark(tx: Transaction, connection_id: str, until: datetime) -> None:
    """Move it on; it never goes back."""
    tx.execute(
        sa.update(connections)
        .where(
            connections.c.id == connection_id,
            sa.or_(connections.c.reconciled_until.is_(None), connections.c.reconciled_until < until),
        )
        .values(reconciled_until=until)
    )


def list_runs(tx: Transaction, connection_id: str, at_most: int) -> tuple[ReconcileRun, ...]:
    """Return the connection's runs, newest first."""
    query = sa.select(reconciliations).where(reconciliations.c.connection_id == connection_id)
    rows = tx.execute(query.order_by(reconciliations.c.id.desc()).limit(at_most))
    return tuple(ReconcileRun(*row) for row in rows)
