"""Translates rows of runs to their model."""

from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import account_snapshots, oncall_runs
from calmo_pagerduty.oncall.model import OnCallRun
from calmo_pagerduty.snapshots.reading import ReadingProgress

#: Runs with how far the reading of their snapshot is.
RUNS = sa.select(oncall_runs, account_snapshots.c.progress, account_snapshots.c.requests).outerjoin(
    account_snapshots, account_snapshots.c.id == oncall_runs.c.snapshot_id
)


def run_from_row(row: Any) -> OnCallRun:
    progress = ReadingProgress.model_validate(row.progress or {})
    return OnCallRun(
        id=row.id,
        connection_id=row.connection_id,
        reason=row.reason,
        state=row.state,
        begun_at=row.begun_at,
        finished_at=row.finished_at,
        as_of=row.as_of,
        now=row.now,
        snapshot_id=row.snapshot_id,
        requests=(row.requests or 0) if row.as_of is None else 0,
        tasks=len(progress.tasks),
        tasks_done=progress.tasks_done,
        analyses=tuple(row.analyses),
        outcomes=tuple(row.outcomes),
        problem=row.problem,
    )
