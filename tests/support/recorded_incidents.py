"""Incidents' runs whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, facts, minutes
from tests.support.eventually import eventually
from tests.support.incident_runs import IncidentRuns

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
