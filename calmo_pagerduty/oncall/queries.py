"""Read runs for callers. A run is visible to whoever sees its connection."""

from typing import Any

from sqlalchemy.sql.selectable import Select

from calmo_pagerduty.db.tables import connections, oncall_runs
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.oncall.model import OnCallRun
from calmo_pagerduty.oncall.rows import RUNS, run_from_row


def list_runs(
    tx: Transaction, visibility: Visibility, connection_id: str, limit: int
) -> tuple[OnCallRun, ...]:
    """Return a connection's runs, newest first."""
    query = _visible(visibility).where(oncall_runs.c.connection_id == connection_id)
    newest = query.order_by(oncall_runs.c.begun_at.desc(), oncall_runs.c.id.desc())
    return tuple(run_from_row(row) for row in tx.execute(newest.limit(limit)))


def get_run(tx: Transaction, visibility: Visibility, run_id: str) -> OnCallRun | None:
    row = tx.execute(_visible(visibility).where(oncall_runs.c.id == run_id)).one_or_none()
    return run_from_row(row) if row else None


def _visible(visibility: Visibility) -> Select[Any]:
    joined = RUNS.join(connections, connections.c.id == oncall_runs.c.connection_id)
    return joined.where(visible_to(connections.c.scope, visibility))
