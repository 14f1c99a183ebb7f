"""Reads from the database what an incident's explanation needs."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from calmo_pagerduty.db.tables import deliveries, issues, refusals, timeline, webhook_secrets, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.deliveries.explanations import ExplanationInput
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.queries import join_webhooks
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Visibility

#: PagerDuty retries for 48 h. Older refusals say nothing about the present.
REFUSAL_LOOKBACK = timedelta(hours=48)
MAX_DELIVERIES = 1000


@dataclass(frozen=True, slots=True)
class ExplanationLookup:
    """The input without Temporal's part. `ref` identifies the workflow; None without a delivery."""

    facts: ExplanationInput
    ref: IncidentRef | None


def get_explanation_input(
    tx: Transaction, visibility: Visibility, incident_id: str, now: datetime
) -> ExplanationLookup:
    """Return the incident's data. If several connections have deliveries of it, the latest one counts."""
    hooks = _webhooks(tx, visibility, now)
    rows = tx.execute(
        join_webhooks(sa.select(deliveries))
        .where(deliveries.c.incident_id == incident_id, visible_to(webhooks.c.scope, visibility))
        .order_by(deliveries.c.seq.desc())
        .limit(MAX_DELIVERIES)
    ).all()
    latest_rows = [row for row in rows if row.connection_id == rows[0].connection_id]
    states = Counter(DeliveryState(row.state) for row in latest_rows)
    latest: dict[DeliveryState, int] = {}
    for row in latest_rows:
        latest.setdefault(DeliveryState(row.state), row.seq)
    dead = next((row.reason for row in latest_rows if row.state == DeliveryState.DEAD_LETTER), None)
    waiting = [row.received_at for row in latest_rows if row.state == DeliveryState.PENDING]
    issue = _issue(tx, visibility, incident_id)
    ref = IncidentRef(connection_id=rows[0].connection_id, incident_id=incident_id) if rows else None
    facts = ExplanationInput(
        incident_id=incident_id,
        webhooks=hooks["live"],
        with_secret=hooks["secret"],
        switched_off=hooks["off"],
        refusals=_refusals(tx, visibility, now),
        unreadable=_unreadable(tx, visibility),
        deliveries=dict(states),
        latest=latest,
        dead_reason=dead,
        waiting_for=now - min(waiting) if waiting else timedelta(),
        workflow_id=ref.workflow_id if ref else None,
        issue_id=issue[0] if issue else None,
        entries=issue[1] if issue else 0,
    )
    return ExplanationLookup(facts, ref)


def _webhooks(tx: Transaction, visibility: Visibility, now: datetime) -> Counter[str]:
    secret = sa.exists().where(
        webhook_secrets.c.webhook_id == webhooks.c.id,
        sa.or_(webhook_secrets.c.expires_at.is_(None), webhook_secrets.c.expires_at > now),
    )
    query = sa.select(webhooks.c.disabled_at, secret.label("secret")).where(
        webhooks.c.deleted_at.is_(None), visible_to(webhooks.c.scope, visibility)
    )
    counts: Counter[str] = Counter()
    for row in tx.execute(query):
        counts["live"] += 1
        counts["secret"] += bool(row.secret)
        counts["off"] += row.disabled_at is not None
    return counts


def _refusals(tx: Transaction, visibility: Visibility, now: datetime) -> dict[Verdict, int]:
    query = (
        sa.select(refusals.c.verdict, sa.func.count())
        .join(webhooks, webhooks.c.id == refusals.c.webhook_id)
        .where(refusals.c.at > now - REFUSAL_LOOKBACK, visible_to(webhooks.c.scope, visibility))
        .group_by(refusals.c.verdict)
    )
    return {Verdict(verdict): count for verdict, count in tx.execute(query)}


def _unreadable(tx: Transaction, visibility: Visibility) -> int:
    query = join_webhooks(sa.select(sa.func.count(deliveries.c.seq))).where(
        deliveries.c.incident_id.is_(None),
        deliveries.c.state == DeliveryState.DEAD_LETTER,
        visible_to(webhooks.c.scope, visibility),
    )
    return int(tx.execute(query).scalar_one())


def _issue(tx: Transaction, visibility: Visibility, incident_id: str) -> tuple[str, int] | None:
    query = sa.select(issues.c.id).where(
        issues.c.incident_id == incident_id, visible_to(issues.c.scope, visibility)
    )
    issue_id = tx.execute(query.order_by(issues.c.updated_at.desc()).limit(1)).scalar()
    if issue_id is None:
        return None
    # As many as the timeline shows: echoes of our own actions have no entry of their own there.
    entries = sa.select(sa.func.count()).where(timeline.c.issue_id == issue_id, ~timeline.c.is_echo)
    return str(issue_id), tx.execute(entries).scalar_one()
