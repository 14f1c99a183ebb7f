"""Save and delete scenarios."""

import sqlalchemy as sa

from calmo_pagerduty.db.scenario_tables import scenarios
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.scheduling.rows import SavedScenario, scenario_values


def insert_scenario(tx: Transaction, saved: SavedScenario) -> None:
    """Insert a scenario; one of the same connection and name is replaced."""
    same_name = (scenarios.c.connection_id == saved.connection_id) & (scenarios.c.name == saved.scenario.name)
    tx.execute(sa.delete(scenarios).where(same_name))
    tx.execute(sa.insert(scenarios).values(**scenario_values(saved)))


def count_scenarios(tx: Transaction, connection_id: str) -> int:
    query = sa.select(sa.func.count()).where(scenarios.c.connection_id == connection_id)
    return int(tx.execute(query.select_from(scenarios)).scalar_one())


def delete_scenario(tx: Transaction, connection_id: str, scenario_id: str) -> bool:
    """Return whether there was one."""
    ours = (scenarios.c.connection_id == connection_id) & (scenarios.c.id == scenario_id)
    return tx.execute(sa.delete(scenarios).where(ours)).rowcount > 0
