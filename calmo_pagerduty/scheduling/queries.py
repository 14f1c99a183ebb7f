"""Read saved scenarios, within a reader's visibility."""

import sqlalchemy as sa
from sqlalchemy import Select

from calmo_pagerduty.db.scenario_tables import scenarios
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.scheduling.rows import SavedScenario, scenario_from_row


def list_scenarios(
    tx: Transaction, visibility: Visibility, connection_id: str, limit: int
) -> tuple[SavedScenario, ...]:
    """Return a connection's scenarios, by name."""
    query = _visible(visibility).where(scenarios.c.connection_id == connection_id)
    rows = tx.execute(query.order_by(scenarios.c.name).limit(limit)).mappings()
    return tuple(scenario_from_row(dict(row)) for row in rows)


def get_scenario(
    tx: Transaction, visibility: Visibility, connection_id: str, scenario_id: str
) -> SavedScenario | None:
    query = _visible(visibility).where(
        scenarios.c.connection_id == connection_id, scenarios.c.id == scenario_id
    )
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else scenario_from_row(dict(row))


def _visible(visibility: Visibility) -> Select[tuple[object, ...]]:
    return (
        sa.select(scenarios)
        .join(connections, connections.c.id == scenarios.c.connection_id)
        .where(visible_to(connections.c.scope, visibility))
    )
