"""Read local incidents for a comparison with PagerDuty, and store runs and watermarks. Times are UTC."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import connections, deliveries, issues, reconciliations, timeline, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.incidents.actions import OPERATION_PREFIX, RESULT_PREFIX
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.rows import issue_from_row
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.pagerduty.log_entries import TimelineEvent

#: How many incidents one query covers.
BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class LocalIncident:
    """Our issue of an incident and its timeline; without an issue, None and nothing."""

    issue: Issue | None = None
    timeline_events: tuple[TimelineEvent, ...] = ()
    #: True while deliveries of it have not reached the timeline.
    is_in_flight: bool = False


@dataclass(frozen=True, slots=True)
class WebhookCoverage:
    """The incidents that the connection's webhooks deliver: only they may become new issues."""

    everything: bool = False
    service_ids: frozenset[str] = frozenset()
    team_ids: frozenset[str] = frozenset()

    def covers(self, service_id: str | None, team_ids: Collection[str]) -> bool:
        return self.everything or service_id in self.service_ids or not self.team_ids.isdisjoint(team_ids)


@dataclass(frozen=True, slots=True)
class ReconcileRun:
    """One run. `report` is a `Tally` as JSON; None until the first window is done. Times are UTC."""

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
    """Return incident id → our issue and timeline, for at most BATCH_SIZE incidents."""
    rows = tx.execute(
        sa.select(issues).where(
            issues.c.connection_id == connection_id, issues.c.incident_id.in_(list(incident_ids))
        )
    ).all()
    local_issues = {row.incident_id: issue_from_row(row) for row in rows}
    events: dict[str, list[TimelineEvent]] = {}
    # Operations' entries and results are not compared: PagerDuty's own events report the same.
    is_operation = timeline.c.event_id.like(f"{OPERATION_PREFIX}%")
    is_result = timeline.c.event_id.like(f"{RESULT_PREFIX}%")
    of_these = timeline.c.issue_id.in_([row.id for row in rows])
    for row in tx.execute(sa.select(timeline).where(of_these, ~is_operation & ~is_result)):
        actor = (row.actor or {}).get("id")
        event = TimelineEvent(row.event_id, row.event_type, row.occurred_at, actor, row.summary)
        events.setdefault(row.issue_id, []).append(event)
    in_flight = list_incidents_in_flight(tx, connection_id, incident_ids)
    return {
        incident_id: LocalIncident(
            issue := local_issues.get(incident_id),
            tuple(events.get(issue.ref.issue_id, ())) if issue else (),
            incident_id in in_flight,
        )
        for incident_id in incident_ids
    }


def list_incidents_in_flight(tx: Transaction, connection_id: str, incident_ids: Collection[str]) -> set[str]:
    """Return the incidents with deliveries that have not reached the timeline yet."""
    query = sa.select(deliveries.c.incident_id).where(
        deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.FORWARDED]),
        deliveries.c.connection_id == connection_id,
    )
    return set(tx.execute(query.distinct()).scalars()) & set(incident_ids)


def list_open_incidents(tx: Transaction, connection_id: str) -> list[str]:
    """Return the incidents that are open here, or that a dead letter marked for reconciliation."""
    query = sa.select(issues.c.incident_id).where(
        issues.c.connection_id == connection_id,
        # PagerDuty knows no incident of an issue that a finding opened.
        issues.c.origin == IssueOrigin.INCIDENT,
        sa.or_(issues.c.status != IncidentStatus.RESOLVED, issues.c.needs_reconcile),
    )
    return list(tx.execute(query.order_by(issues.c.id)).scalars())


def mark_needs_reconcile(tx: Transaction, connection_id: str, incident_ids: Sequence[str]) -> None:
    """Let each run look at these incidents, whether they are open or not, until they are equal."""
    tx.execute(
        sa.update(issues)
        .where(issues.c.connection_id == connection_id, issues.c.incident_id.in_(list(incident_ids)))
        .values(needs_reconcile=True)
    )


def mark_reconciled(tx: Transaction, connection_id: str, incident_ids: Sequence[str]) -> None:
    """Clear `needs_reconcile` for incidents that are equal here and at PagerDuty."""
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
    """Return what the connection's live webhooks deliver."""
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
    """Insert a run and return its id."""
    row = {
        "connection_id": connection_id,
        "reason": reason[:200],
        "since": since,
        "until": until,
        "begun_at": now,
    }
    key = tx.execute(reconciliations.insert().values(**row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def update_run_report(tx: Transaction, run_id: int, report: Mapping[str, Any]) -> None:
    """Save a run's report so far."""
    update = sa.update(reconciliations).where(reconciliations.c.id == run_id)
    tx.execute(update.values(report=dict(report)))


def mark_run_finished(tx: Transaction, run_id: int, report: Mapping[str, Any], now: datetime) -> None:
    update = sa.update(reconciliations).where(reconciliations.c.id == run_id)
    tx.execute(update.values(report=dict(report), finished_at=now))


def get_watermark(tx: Transaction, connection_id: str) -> datetime | None:
    """Return the time up to which we have all events that PagerDuty has; None before the first run."""
    query = sa.select(connections.c.reconciled_until).where(connections.c.id == connection_id)
    moment: datetime | None = tx.execute(query).scalar()
    return moment


def update_watermark(tx: Transaction, connection_id: str, until: datetime) -> None:
    """Move the watermark forward; it never moves back."""
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
