"""Models of the what-if endpoints. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest
from calmo_pagerduty.scheduling.rows import SavedScenario
from calmo_pagerduty.scheduling.scenarios import MAX_COMPARED, Scenario
from ingress.api.models import Model

Json = dict[str, Any]
#: A moment with its offset. Conversions between zones fail at the ends of the calendar.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
ScenarioId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
AS_OF = Field(None, description="Take the newest snapshot of this time or before. Default: the newest.")
NOW = Field(None, description="The time of the question. Default: now.")


class WhatIfBody(Model):
    scenario: Scenario
    as_of: Moment | None = AS_OF
    now: Moment | None = NOW


class OptimiseBody(Model):
    request: OptimiseRequest
    as_of: Moment | None = AS_OF
    now: Moment | None = NOW


class CompareQuery(Model):
    id: list[ScenarioId] = Field(
        min_length=1, max_length=MAX_COMPARED, description="Scenarios to compare, by id."
    )


class WhatIfModel(Model):
    """What a scenario changes, in names. None is unknown, never zero; `definitions` say what is meant."""

    analysis: str
    version: int
    scenario: Json
    scenario_digest: str
    connection_id: str
    snapshot_id: str
    now: str
    since: str
    until: str
    schedules: list[Json]
    policies: list[Json]
    people: list[Json]
    people_unchanged: int
    people_hidden: int
    #: Who is on call while away by the calendars that are stored now; None if they were not looked at.
    on_call_while_away: list[Json] | None = None
    totals: Json
    #: Schedules that we rendered: first as PagerDuty does, then changed.
    proved: list[Json]
    #: What to write to PagerDuty so that the schedules' changes come true; nothing is applied.
    drafts: list[Json]
    notes: list[str]
    incomplete: list[str]
    definitions: dict[str, str]


class OptimisationModel(Model):
    """The exact best one and two moves, the best roster found, and the drafts that make them."""

    analysis: str
    version: int
    connection_id: str
    snapshot_id: str
    now: str
    since: str
    until: str
    schedule: Json
    time_zone: str
    request: Json
    shifts: int
    present: Json
    swaps: list[Json]
    best: Json
    people: list[Json]
    people_hidden: int
    notes: list[str]
    definitions: dict[str, str]


class ScenarioModel(Model):
    id: str
    name: str
    scenario: Json
    snapshot_id: str
    now: datetime
    result_sha256: str
    created_at: datetime
    created_by: str


class ScenarioListModel(Model):
    scenarios: list[ScenarioModel]


class RerunModel(Model):
    """A saved scenario and its answer, computed again. `is_same`: to the byte, as when it was saved."""

    scenario: ScenarioModel
    is_same: bool
    result: WhatIfModel


class ScenarioTotals(Model):
    id: str
    name: str
    is_same: bool
    totals: Json
    people_changed: int
    changed_hours: float


class ScenarioComparisonModel(Model):
    """Saved scenarios side by side, each with its totals before and after."""

    scenarios: list[ScenarioTotals]


def scenario_model(saved: SavedScenario) -> ScenarioModel:
    return ScenarioModel.from_row(
        saved, name=saved.scenario.name, scenario=saved.scenario.model_dump(mode="json")
    )
