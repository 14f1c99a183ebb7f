"""Ask stored snapshots "what if", optimise schedules, and keep scenarios. The computing runs in threads."""

import asyncio
import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.scheduling import queries, store
from calmo_pagerduty.scheduling.comparison_document import comparison_document, hour_rows
from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest
from calmo_pagerduty.scheduling.optimisation import (
    best_owners,
    deviation_rows,
    optimisation_document,
    optimise,
)
from calmo_pagerduty.scheduling.rows import SavedScenario
from calmo_pagerduty.scheduling.scenarios import Scenario
from calmo_pagerduty.scheduling.what_if import what_if
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.workload.privacy import may_see
from calmo_pagerduty.workload.rules import WorkloadSettings
from calmo_pagerduty.workload.settings_service import WorkloadSettingsService

#: Computations at once in a process: the others wait, and deliveries keep the rest of the machine.
MAX_AT_ONCE = 1
MAX_SCENARIOS = 200


class TooManyScenarios(ExplainedError):
    """The connection has as many saved scenarios as it may."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: what the key may see, of connections and of persons."""

    visibility: Visibility
    persons: PersonVisibility
    name: str


@dataclass(frozen=True, slots=True)
class Rerun:
    """A saved scenario's answer, computed again from the same snapshot and `now`."""

    saved: SavedScenario
    document: JsonObject
    rows: tuple[PairRow, ...]
    is_same: bool


class ScenarioService:
    """A process has a single instance. Methods raise StoreUnavailable, SnapshotNotFound, ScenarioInvalid."""

    def __init__(
        self, database: Database, snapshots: SnapshotReader, settings: WorkloadSettingsService
    ) -> None:
        self._database = database
        self._snapshots = snapshots
        self._settings = settings
        self._computing = asyncio.Semaphore(MAX_AT_ONCE)

    async def what_if(
        self, reader: Reader, connection_id: str, scenario: Scenario, now: datetime, as_of: datetime | None
    ) -> JsonObject:
        """Return a scenario's effects. Raises WhatIfRefused."""
        snapshot = await self._snapshots.get(reader.visibility, connection_id, as_of)
        settings = await self._settings.in_force(reader.visibility, connection_id)
        return (await self._compute(snapshot, scenario, now, reader.persons, settings)).document

    async def optimise(
        self,
        reader: Reader,
        connection_id: str,
        request: OptimiseRequest,
        now: datetime,
        as_of: datetime | None,
    ) -> JsonObject:
        """Return the best moves and the optimum for a schedule, with drafts."""
        snapshot = await self._snapshots.get(reader.visibility, connection_id, as_of)
        async with self._computing:
            return await asyncio.to_thread(
                optimisation_document, snapshot, request, _seconds(now), may_see(snapshot, reader.persons)
            )

    async def optimised_loads(
        self,
        reader: Reader,
        connection_id: str,
        request: OptimiseRequest,
        now: datetime,
        as_of: datetime | None,
    ) -> tuple[str, tuple[PairRow, ...]]:
        """Return the schedule's name, and each visible person's load now and in the best roster."""
        snapshot = await self._snapshots.get(reader.visibility, connection_id, as_of)

        def rows() -> tuple[str, tuple[PairRow, ...]]:
            found = optimise(snapshot, request, _seconds(now))
            sees = may_see(snapshot, reader.persons)
            return found.roster.schedule.name, tuple(deviation_rows(found, best_owners(found), sees))

        async with self._computing:
            return await asyncio.to_thread(rows)

    async def what_if_hours(
        self, reader: Reader, connection_id: str, scenario: Scenario, now: datetime, as_of: datetime | None
    ) -> tuple[PairRow, ...]:
        """Return each visible person's hours before and after a scenario. Raises WhatIfRefused."""
        snapshot = await self._snapshots.get(reader.visibility, connection_id, as_of)
        settings = await self._settings.in_force(reader.visibility, connection_id)
        return (await self._compute(snapshot, scenario, now, reader.persons, settings)).rows

    async def save(
        self, reader: Reader, connection_id: str, scenario: Scenario, now: datetime, as_of: datetime | None
    ) -> Rerun:
        """Compute a scenario and keep it under its name. Raises WhatIfRefused, TooManyScenarios."""
        snapshot = await self._snapshots.get(reader.visibility, connection_id, as_of)
        settings = await self._settings.in_force(reader.visibility, connection_id)
        answer = await self._compute(snapshot, scenario, now, reader.persons, settings)
        saved = SavedScenario(
            uuid.uuid4().hex,
            connection_id,
            scenario,
            snapshot.id,
            now,
            answer.sha256,
            now,
            reader.name,
            settings,
        )

        def write(tx: Transaction) -> None:
            if store.count_scenarios(tx, connection_id) >= MAX_SCENARIOS:
                raise TooManyScenarios(f"there are {MAX_SCENARIOS} scenarios already: delete some first")
            store.insert_scenario(tx, saved)

        await self._database.write(write, seen_by=reader.visibility)
        return Rerun(saved, answer.document, answer.rows, True)

    async def list_saved(self, reader: Reader, connection_id: str) -> tuple[SavedScenario, ...]:
        return await self._database.read(
            lambda tx: queries.list_scenarios(tx, reader.visibility, connection_id, MAX_SCENARIOS),
            reader.visibility,
        )

    async def rerun(self, reader: Reader, connection_id: str, scenario_id: str) -> Rerun | None:
        """Return a saved scenario's answer, computed again; None if there is no such scenario."""
        saved = await self._database.read(
            lambda tx: queries.get_scenario(tx, reader.visibility, connection_id, scenario_id),
            reader.visibility,
        )
        if saved is None:
            return None
        snapshot = await self._snapshots.get_by_id(reader.visibility, saved.snapshot_id)
        answer = await self._compute(snapshot, saved.scenario, saved.now, reader.persons, saved.settings)
        return Rerun(saved, answer.document, answer.rows, answer.sha256 == saved.result_sha256)

    async def delete(self, reader: Reader, connection_id: str, scenario_id: str) -> bool:
        """Return whether there was one. The caller has checked that the connection may be seen."""
        return await self._database.write(
            lambda tx: store.delete_scenario(tx, connection_id, scenario_id), seen_by=reader.visibility
        )

    async def _compute(
        self,
        snapshot: AccountSnapshot,
        scenario: Scenario,
        now: datetime,
        persons: PersonVisibility,
        settings: WorkloadSettings,
    ) -> "_Answer":
        async with self._computing:
            return await asyncio.to_thread(_answer, snapshot, scenario, _seconds(now), persons, settings)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer as its reader may see it, and the hash of the answer that shows everybody."""

    document: JsonObject
    rows: tuple[PairRow, ...]
    sha256: str


def _answer(
    snapshot: AccountSnapshot,
    scenario: Scenario,
    now: int,
    persons: PersonVisibility,
    settings: WorkloadSettings,
) -> _Answer:
    comparison = what_if(snapshot, scenario, now, settings)
    whole = comparison_document(comparison, scenario, now, lambda _user_id: True)
    # Calendars are those of now, not of the scenario: an answer stays the same when one comes or goes.
    del whole["on_call_while_away"]
    sees = may_see(snapshot, persons)
    return _Answer(
        comparison_document(comparison, scenario, now, sees),
        tuple(hour_rows(comparison, sees)),
        hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest(),
    )


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
