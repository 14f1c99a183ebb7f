"""Stores drills, and the services on which they may be held."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import drill_services, escalation_drills
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.escalation.drill import OPEN_STATES, DrillState, DrillStep
from calmo_pagerduty.kernel.json_values import JsonObject


@dataclass(frozen=True, slots=True)
class DrillService:
    """A service that was named for drills. `key_id` is whose rights a scheduled drill has."""

    service_id: str
    key_id: str
    named_at: datetime
    every_days: int | None


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill. Times are UTC."""

    id: str
    connection_id: str
    service_id: str
    key_id: str
    state: DrillState
    incident_key: str
    watch_seconds: int
    asked_at: datetime
    incident_id: str | None = None
    opened_at: datetime | None = None
    deadline_at: datetime | None = None
    escalated_at: datetime | None = None
    acknowledged_at: datetime | None = None
    finished_at: datetime | None = None
    report: JsonObject | None = None


#: When a step is done, its time goes into this column.
_TIME_OF_STEP = {
    DrillStep.ESCALATE: escalation_drills.c.escalated_at,
    DrillStep.ACKNOWLEDGE: escalation_drills.c.acknowledged_at,
}


def upsert_drill_service(tx: Transaction, connection_id: str, service: DrillService) -> None:
    """Name a service for drills, or change how often drills are held there."""
    values = {
        "key_id": service.key_id,
        "named_at": service.named_at,
        "every_days": service.every_days,
    }
    key = {"connection_id": connection_id, "service_id": service.service_id}
    tx.execute(insert_or_ignore(tx, drill_services), {**key, **values})
    tx.execute(
        sa.update(drill_services)
        .where(
            drill_services.c.connection_id == connection_id,
            drill_services.c.service_id == service.service_id,
        )
        .values(**values)
    )


def delete_drill_service(tx: Transaction, connection_id: str, service_id: str) -> bool:
    """Return whether the service was named."""
    deleted = tx.execute(
        sa.delete(drill_services).where(
            drill_services.c.connection_id == connection_id, drill_services.c.service_id == service_id
        )
    )
    return deleted.rowcount > 0


def get_drill_service(tx: Transaction, connection_id: str, service_id: str) -> DrillService | None:
    return next((s for s in list_drill_services(tx, connection_id) if s.service_id == service_id), None)


def list_drill_services(tx: Transaction, connection_id: str) -> tuple[DrillService, ...]:
    """Return the connection's services that were named for drills, in order of their ids."""
    rows = tx.execute(
        sa.select(drill_services)
        .where(drill_services.c.connection_id == connection_id)
        .order_by(drill_services.c.service_id)
    )
    return tuple(DrillService(row.service_id, row.key_id, row.named_at, row.every_days) for row in rows)


def insert_drill(tx: Transaction, drill: Drill) -> None:
    """Insert a drill; one with the same id stays as it is."""
    values = {field: getattr(drill, field) for field in Drill.__dataclass_fields__}
    tx.execute(insert_or_ignore(tx, escalation_drills), values | {"state": str(drill.state)})


def get_drill(tx: Transaction, drill_id: str) -> Drill | None:
    row = tx.execute(sa.select(escalation_drills).where(escalation_drills.c.id == drill_id)).one_or_none()
    return None if row is None else _drill(row)


def list_drills(tx: Transaction, connection_id: str, limit: int) -> tuple[Drill, ...]:
    """Return a connection's drills, the newest first."""
    rows = tx.execute(
        sa.select(escalation_drills)
        .where(escalation_drills.c.connection_id == connection_id)
        .order_by(escalation_drills.c.asked_at.desc(), escalation_drills.c.id)
        .limit(limit)
    )
    return tuple(map(_drill, rows))


def get_open_drill(tx: Transaction, connection_id: str, service_id: str) -> Drill | None:
    """Return the drill that is held on a service now, the earliest if there are several."""
    table = escalation_drills.c
    query = sa.select(escalation_drills).where(
        table.connection_id == connection_id,
        table.service_id == service_id,
        table.state.in_([str(state) for state in OPEN_STATES]),
    )
    row = tx.execute(query.order_by(table.asked_at, table.id).limit(1)).one_or_none()
    return None if row is None else _drill(row)


def list_overdue_drills(
    tx: Transaction, opened_before: datetime, asked_before: datetime
) -> tuple[Drill, ...]:
    """Return drills that should have ended: past the deadline, or never opened since `asked_before`."""
    table = escalation_drills.c
    overdue = sa.or_(
        table.deadline_at < opened_before, sa.and_(table.deadline_at.is_(None), table.asked_at < asked_before)
    )
    rows = tx.execute(
        sa.select(escalation_drills)
        .where(table.state.in_([str(state) for state in OPEN_STATES]), overdue)
        .order_by(table.asked_at, table.id)
        .limit(100)
    )
    return tuple(map(_drill, rows))


def mark_drill_opened(
    tx: Transaction, drill_id: str, incident_id: str, opened_at: datetime, deadline_at: datetime
) -> None:
    _update(
        tx,
        drill_id,
        state=str(DrillState.WATCHING),
        incident_id=incident_id,
        opened_at=opened_at,
        deadline_at=deadline_at,
    )


def mark_step_done(tx: Transaction, drill_id: str, step: DrillStep, at: datetime) -> None:
    column = _TIME_OF_STEP.get(step)
    if column is not None:
        _update(tx, drill_id, **{column.name: at})


def mark_drill_progress(tx: Transaction, drill_id: str, report: JsonObject) -> None:
    """Save what was seen so far of a drill that is open."""
    of_drill = sa.and_(escalation_drills.c.id == drill_id, escalation_drills.c.finished_at.is_(None))
    tx.execute(sa.update(escalation_drills).where(of_drill).values(report=report))


def mark_drill_finished(
    tx: Transaction, drill_id: str, state: DrillState, at: datetime, report: JsonObject
) -> None:
    _update(tx, drill_id, state=str(state), finished_at=at, report=report)


def _update(tx: Transaction, drill_id: str, **values: Any) -> None:
    tx.execute(sa.update(escalation_drills).where(escalation_drills.c.id == drill_id).values(**values))


def _drill(row: Any) -> Drill:
    values = {field: getattr(row, field) for field in Drill.__dataclass_fields__}
    return Drill(**values | {"state": DrillState(row.state)})
