"""Saved scenarios for tests that need one of everything."""

from calmo_pagerduty.scheduling.rows import SavedScenario
from calmo_pagerduty.scheduling.scenarios import parse_scenario
from tests.support.builders import NOON


def a_saved_scenario(
    scenario_id: str, connection_id: str, snapshot_id: str, name: str, result_sha256: str = "0" * 64
) -> SavedScenario:
    """Return a scenario without changes, asked at noon."""
    scenario = parse_scenario({"name": name})
    return SavedScenario(scenario_id, connection_id, scenario, snapshot_id, NOON, result_sha256, NOON, "kim")
