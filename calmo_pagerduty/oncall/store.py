"""Store runs of the on-call analyses. Times are UTC."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import oncall_runs
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.oncall.model import ENDED_STATES, AnalysisOutcome, RunState, RunToStart

INTERRUPTED = "interrupted"


def insert_run(tx: Transaction, order: RunToStart, analyses: Sequence[str], now: datetime) -> None:
    """Insert a run. A connection's earlier run of new snapshots that never ended was interrupted.

    Repeating it changes nothing.
    """
    row = {
        "id": order.run_id,
        "connection_id": order.connection_id,
        "reason": order.reason,
        "state": RunState.READING,
        "begun_at": now,
        "as_of": order.as_of,
        "now": order.now,
        "analyses": list(analyses),
    }
    if tx.execute(insert_or_ignore(tx, oncall_runs), row).rowcount and order.as_of is None:
        interrupted = sa.update(oncall_runs).where(
            oncall_runs.c.connection_id == order.connection_id,
            oncall_runs.c.id != order.run_id,
            oncall_runs.c.as_of.is_(None),
            oncall_runs.c.state.not_in(ENDED_STATES),
        )
        tx.execute(interrupted.values(state=RunState.FAILED, finished_at=now, problem=INTERRUPTED))


def update_run(tx: Transaction, run_id: str, **values: Any) -> None:
    tx.execute(sa.update(oncall_runs).where(oncall_runs.c.id == run_id).values(**values))


def update_outcome(tx: Transaction, run_id: str, outcome: AnalysisOutcome) -> None:
    """Note how an analysis ended, in place of an earlier attempt."""
    query = sa.select(oncall_runs.c.outcomes).where(oncall_runs.c.id == run_id)
    outcomes = tx.execute(query.with_for_update()).scalar()
    if outcomes is None:
        return
    others = [other for other in outcomes if other["analysis"] != outcome.analysis]
    update_run(tx, run_id, outcomes=[*others, outcome.model_dump(mode="json")])


def delete_old_runs(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete ended runs that began before `older_than`."""
    old = sa.select(oncall_runs.c.id).where(
        oncall_runs.c.begun_at < older_than, oncall_runs.c.state.in_(ENDED_STATES)
    )
    return tx.execute(sa.delete(oncall_runs).where(oncall_runs.c.id.in_(old.limit(limit)))).rowcount
