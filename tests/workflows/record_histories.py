"""Record histories of real runs into tests/histories, for test_replay.py to replay.

    python tests/workflows/record_histories.py            # lists the names
    python tests/workflows/record_histories.py life …     # records these anew
    python tests/workflows/record_histories.py --all

Record a new name when a new path through the workflow appears. Record an existing one anew only when
no run of the older code is open anywhere any more: a history that doesn't replay means that open
incidents would be stuck, and then the code needs `workflow.patched`, not a new recording.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from builders import NOON, facts, minutes  # noqa: E402
from eventually import eventually  # noqa: E402
from incident_runs import IncidentRuns  # noqa: E402
from temporalio.client import Client  # noqa: E402

from calmo_pagerduty.domain.event_types import EventType, IncidentStatus  # noqa: E402
from calmo_pagerduty.domain.incident_lifecycle import EventFacts  # noqa: E402
from calmo_pagerduty.domain.incident_references import IncidentRef  # noqa: E402
from calmo_pagerduty.processes import free_port  # noqa: E402
from calmo_pagerduty.store.database import Database  # noqa: E402
from calmo_pagerduty.store.encryption import Keyring  # noqa: E402
from calmo_pagerduty.temporal_client import DATA_CONVERTER, runtime  # noqa: E402
from calmo_pagerduty.temporal_dev_server import TemporalDevServer  # noqa: E402
from workflows import names  # noqa: E402

HISTORIES = TESTS / "histories"

#: A run to record: the incident, and the run's id, or None for its latest.
Recorded = tuple[IncidentRef, str | None]
Scenario = Callable[[IncidentRuns], Awaitable[Recorded]]


def triggered() -> EventFacts:
    return facts(EventType.TRIGGERED, at=NOON, priority="P2", service_id="PBASKET", team_ids=("PWEB",))


def acknowledged() -> EventFacts:
    return facts(EventType.ACKNOWLEDGED, at=NOON + minutes(1), status=IncidentStatus.ACKNOWLEDGED)


def resolved(at: float = 2) -> EventFacts:
    return facts(EventType.RESOLVED, at=NOON + minutes(at), status=IncidentStatus.RESOLVED)


def reopened() -> EventFacts:
    return facts(EventType.REOPENED, at=NOON + minutes(3))


def a_note(at: float = 1.5) -> EventFacts:
    return facts(EventType.ANNOTATED, at=NOON + minutes(at), shows_incident=False)


async def one_by_one(runs: IncidentRuns, ref: IncidentRef, *events: EventFacts, before: int = 0) -> None:
    for count, event in enumerate(events, start=before + 1):
        await runs.deliver(ref, event)
        await runs.until_saved(ref, count)
        await runs.until_idle(ref)


async def life(runs: IncidentRuns) -> Recorded:
    """From the first event to the timer that ends it."""
    ref, runs.complete_after = runs.an_incident(), timedelta(seconds=1)
    async with runs.worker():
        await one_by_one(runs, ref, triggered(), acknowledged(), a_note(), resolved())
        await runs.until_closed(ref)
    return ref, None


async def first_event_is_a_note(runs: IncidentRuns) -> Recorded:
    ref = runs.an_incident()
    async with runs.worker():
        await one_by_one(runs, ref, a_note(), triggered(), acknowledged())
    return ref, None


async def disorder(runs: IncidentRuns) -> Recorded:
    ref = runs.an_incident()
    async with runs.worker():
        await one_by_one(runs, ref, resolved(), acknowledged(), triggered())
    return ref, None


async def duplicates(runs: IncidentRuns) -> Recorded:
    ref, first = runs.an_incident(), triggered()
    async with runs.worker():
        await one_by_one(runs, ref, first)
        await runs.deliver(ref, first, first)
        await runs.deliver(ref, first)
        await one_by_one(runs, ref, acknowledged(), before=1)
    return ref, None


async def reopened_within_the_grace(runs: IncidentRuns) -> Recorded:
    ref = runs.an_incident()
    async with runs.worker():
        await one_by_one(runs, ref, triggered(), resolved(), reopened(), resolved(at=4))
    return ref, None


async def reopened_after_completion(runs: IncidentRuns) -> Recorded:
    ref, runs.complete_after = runs.an_incident(), timedelta()
    async with runs.worker():
        await runs.deliver(ref, triggered(), resolved())
        await runs.until_closed(ref)
        runs.complete_after = timedelta(hours=24)
        await one_by_one(runs, ref, reopened(), resolved(at=4), before=2)
    return ref, None


async def late_event_after_completion(runs: IncidentRuns) -> Recorded:
    ref, runs.complete_after = runs.an_incident(), timedelta()
    async with runs.worker():
        await runs.deliver(ref, triggered(), resolved())
        await runs.until_closed(ref)
        await one_by_one(runs, ref, a_note(), before=2)
        await runs.until_closed(ref)
    return ref, None


async def continues_as_new(runs: IncidentRuns) -> Recorded:
    """The run that ends so."""
    ref, first = await _two_runs(runs)
    return ref, first


async def continued_as_new(runs: IncidentRuns) -> Recorded:
    """The run that follows."""
    ref, _ = await _two_runs(runs)
    return ref, None


async def _two_runs(runs: IncidentRuns) -> tuple[IncidentRef, str]:
    ref, runs.continue_as_new_after = runs.an_incident(), 20
    await runs.deliver(ref, triggered())
    first = (await runs.handle(ref).describe()).run_id
    async with runs.worker():
        await runs.until_saved(ref, 1)
        await one_by_one(runs, ref, acknowledged(), a_note(), a_note(), resolved(), a_note(), before=1)
        await eventually(lambda: runs.handle(ref).describe(), lambda found: found.run_id != first)
    return ref, str(first)


async def garbage_signals(runs: IncidentRuns) -> Recorded:
    ref = runs.an_incident()
    async with runs.worker():
        await one_by_one(runs, ref, triggered())
        await runs.handle(ref).signal("pause", "please")
        await runs.handle(ref).signal("receive_events", {"v": 9})
        await runs.handle(ref).signal("receive_events", {"events": [{"event_id": "01HALF"}, None]})
        await eventually(runs.letters, lambda found: len(found) >= 4)
        await one_by_one(runs, ref, acknowledged(), before=1)
    return ref, None


async def unknown_connection(runs: IncidentRuns) -> Recorded:
    ref = IncidentRef(connection_id="con_gone", incident_id=runs.an_incident().incident_id)
    async with runs.worker():
        await runs.deliver(ref, triggered(), acknowledged())
        await eventually(runs.letters, lambda found: len(found) >= 2)
    return ref, None


async def cancelled(runs: IncidentRuns) -> Recorded:
    ref = runs.an_incident()
    await runs.deliver(ref, triggered())
    await runs.deliver(ref, acknowledged())
    await runs.handle(ref).cancel()
    async with runs.worker():
        await runs.until_closed(ref)
    return ref, None


async def large_backlog(runs: IncidentRuns) -> Recorded:
    """More than one transaction's worth."""
    ref = runs.an_incident()
    events = [a_note(at=number / 100) for number in range(230)]
    for first in range(0, len(events), 100):
        await runs.deliver(ref, *events[first : first + 100])
    async with runs.worker():
        await runs.until_saved(ref, len(events))
        await runs.until_idle(ref)
    return ref, None


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        life, first_event_is_a_note, disorder, duplicates, reopened_within_the_grace,
        reopened_after_completion, late_event_after_completion, continues_as_new, continued_as_new,
        garbage_signals, unknown_connection, cancelled, large_backlog,
    )
}  # fmt: skip


async def record(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = TemporalDevServer(
            log_file=Path(folder) / "temporal.log",
            port=free_port(),
            search_attributes=names.SEARCH_ATTRIBUTES,
        )
        await server.start()
        # The default identity would put this machine's name into the repository.
        client = await Client.connect(
            server.address, data_converter=DATA_CONVERTER, runtime=runtime(), identity="recorder"
        )
        try:
            for name in wanted:
                await _record_one(name, client, Path(folder))
        finally:
            await server.stop()
    # Temporal's threads may still be ending: let them.
    await asyncio.sleep(0.05)


async def _record_one(name: str, client: Client, folder: Path) -> None:
    database = Database(f"sqlite:///{folder / f'{name}.db'}")
    database.migrate()
    runs = IncidentRuns(client, database, Keyring({"test": bytes(range(32))}), task_queue=name)
    ref, run_id = await SCENARIOS[name](runs)
    handle = client.get_workflow_handle(ref.workflow_id, run_id=run_id)
    history = await handle.fetch_history()
    text = json.dumps(_without_places(json.loads(history.to_json())), indent=1)
    (HISTORIES / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{name}: {len(history.events)} events, {len(text)} bytes\n")
    database.close()


def _without_places(value: Any) -> Any:
    """Failures hold stack traces with this machine's paths; a replay doesn't look at them."""
    if isinstance(value, dict):
        return {key: _without_places(one) for key, one in value.items() if key != "stackTrace"}
    return [_without_places(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    parser = argparse.ArgumentParser(description="Record histories for the replay tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--all", action="store_true", help="record every one anew")
    options = parser.parse_args()
    wanted = list(SCENARIOS) if options.all else options.names
    if not wanted or set(wanted) - set(SCENARIOS):
        parser.error(f"say which to record, or --all: {', '.join(SCENARIOS)}")
    asyncio.run(record(wanted))


if __name__ == "__main__":
    main()
