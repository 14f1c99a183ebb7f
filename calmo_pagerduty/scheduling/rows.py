"""Translate between rows of saved scenarios and values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from calmo_pagerduty.scheduling.scenarios import Scenario, parse_scenario
from calmo_pagerduty.workload.rules import WorkloadSettings


@dataclass(frozen=True, slots=True)
class SavedScenario:
    """A scenario, and what it was asked of. Times are UTC."""

    id: str
    connection_id: str
    scenario: Scenario
    snapshot_id: str
    now: datetime
    result_sha256: str
    created_at: datetime
    created_by: str
    #: The rules of pay and the holidays of that time.
    settings: WorkloadSettings = field(default_factory=WorkloadSettings)


def scenario_from_row(row: Mapping[str, Any]) -> SavedScenario:
    """Raises ScenarioInvalid if another version wrote the row."""
    names = ("id", "connection_id", "snapshot_id", "now", "result_sha256", "created_at", "created_by")
    document = dict(row["document"])
    settings = WorkloadSettings.model_validate(document.pop("settings", {}))
    return SavedScenario(
        scenario=parse_scenario({**document, "name": row["name"]}),
        settings=settings,
        **{name: row[name] for name in names},
    )


def scenario_values(saved: SavedScenario) -> dict[str, Any]:
    """Return the column values of a saved scenario."""
    return {
        "id": saved.id,
        "connection_id": saved.connection_id,
        "name": saved.scenario.name,
        "document": {
            **saved.scenario.model_dump(mode="json", exclude={"name"}),
            "settings": saved.settings.model_dump(mode="json"),
        },
        "snapshot_id": saved.snapshot_id,
        "now": saved.now,
        "result_sha256": saved.result_sha256,
        "created_at": saved.created_at,
        "created_by": saved.created_by,
    }
