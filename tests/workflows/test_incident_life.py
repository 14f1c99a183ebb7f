"""An incident's life on the real server: every event once, exactly one issue, to the end and beyond."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import TimeSkipper

from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.queries import IssueFilter
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, a_note, an_event, facts, minutes
from tests.support.eventually import eventually
from tests.support.incident_runs import IncidentRuns

A_DAY = timedelta(hours=24)


def triggered() -> EventFacts:
    return facts(EventType.TRIGGERED, at=NOON)


def acknowledged(at: float = 5) -> EventFacts:
    return facts(EventType.ACKNOWLEDGED, at=NOON + minutes(at), status=IncidentStatus.ACKNOWLEDGED)


def resolved(at: float = 30) -> EventFacts:
    return facts(EventType.RESOLVED, at=NOON + minutes(at), status=IncidentStatus.RESOLVED)


def reopened(at: float = 60) -> EventFacts:
    return facts(EventType.REOPENED, at=NOON + minutes(at))


def a_plain_note(at: float = 20) -> EventFacts:
    return facts(EventType.ANNOTATED, at=NOON + minutes(at), shows_incident=False)


@pytest.mark.each_database
async def test_triggered_acknowledged_resolved_is_exactly_one_issue(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        for payload in (
            an_event(EventType.TRIGGERED, ref.incident_id, at=NOON),
            an_event(EventType.ACKNOWLEDGED, ref.incident_id, at=NOON + minutes(1)),
            a_note(ref.incident_id, "Rolled back", at=NOON + minutes(2)),
            an_event(EventType.RESOLVED, ref.incident_id, at=NOON + minutes(3)),
        ):
            await runs.deliver(ref, runs.take_in(ref, payload))
        issue = await runs.until_saved(ref, 4)
    page = runs.database.read_blocking(
        lambda t: issue_queries.list_issues(t, EVERYTHING, IssueFilter(incidents=(ref.incident_id,)), 10)
    )
    assert page.issues == (issue,)
    assert (issue.status, issue.title) == (IncidentStatus.RESOLVED, "Basket service answers slowly")
    assert (issue.acknowledged_at, issue.resolved_at) == (NOON + minutes(1), NOON + minutes(3))
    assert [entry.summary for entry in await runs.timeline(ref)] == [
        "triggered by Robin Reyes: assigned to Robin Reyes",
        "acknowledged by Robin Reyes",
        "note added by Robin Reyes: Rolled back",
        "resolved by Robin Reyes",
    ]


async def test_an_incident_may_begin_with_any_event(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, a_plain_note())
        assert (await runs.until_saved(ref, 1)).status is IncidentStatus.TRIGGERED
        await runs.deliver(ref, acknowledged())
        assert (await runs.until_saved(ref, 2)).status is IncidentStatus.ACKNOWLEDGED


async def test_what_arrives_while_no_worker_is_there_is_saved_in_one_transaction(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    for event in (triggered(), acknowledged(), a_plain_note(), resolved()):
        await runs.deliver(ref, event)
    async with runs.worker():
        await runs.until_saved(ref, 4)
    changes = runs.database.read_blocking(lambda t: issue_queries.list_changes_after(t, EVERYTHING, 0, 100))
    assert [len(change.event_types) for change in changes] == [4]


async def test_events_that_arrive_in_disorder_leave_the_newest_status(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, resolved())
        await runs.until_saved(ref, 1)
        await runs.deliver(ref, triggered())
        await runs.deliver(ref, acknowledged())
        issue = await runs.until_saved(ref, 3)
    assert issue.status is IncidentStatus.RESOLVED
    assert await runs.types_on_timeline(ref) == [
        EventType.TRIGGERED,
        EventType.ACKNOWLEDGED,
        EventType.RESOLVED,
    ]


async def test_a_duplicate_changes_nothing(runs: IncidentRuns) -> None:
    ref, event = runs.an_incident(), triggered()
    async with runs.worker():
        await runs.deliver(ref, event)
        before = await runs.until_saved(ref, 1)
        await runs.deliver(ref, event)
        await runs.deliver(ref, event, event)
        await runs.deliver(ref, acknowledged())
        after = await runs.until_saved(ref, 2)
    assert after.created_at == before.created_at


async def test_a_duplicate_changes_nothing_after_the_run_has_continued_as_new(runs: IncidentRuns) -> None:
    runs.continue_as_new_after = 20
    ref = runs.an_incident()
    events = [a_plain_note(at=n) for n in range(8)]
    async with runs.worker():
        for count, event in enumerate(events, start=1):
            await runs.deliver(ref, event)
            await runs.until_saved(ref, count)
        start = await anext(aiter(runs.handle(ref).fetch_history_events()))
        assert start.workflow_execution_started_event_attributes.continued_execution_run_id
        await runs.deliver(ref, *events)
        await runs.deliver(ref, acknowledged())
        await runs.until_saved(ref, len(events) + 1)


async def test_an_incident_completes_a_day_after_it_is_resolved(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    skipper = TimeSkipper(runs.client)
    async with runs.worker():
        await runs.deliver(ref, triggered(), resolved())
        await runs.until_saved(ref, 2)
        await skipper.fast_forward(runs.handle(ref), A_DAY - timedelta(minutes=1))
        assert (await runs.handle(ref).describe()).status is WorkflowExecutionStatus.RUNNING
        await skipper.fast_forward(runs.handle(ref), timedelta(minutes=2))
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.COMPLETED


async def test_further_events_do_not_put_completion_off(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    skipper = TimeSkipper(runs.client)
    async with runs.worker():
        await runs.deliver(ref, resolved())
        await runs.until_saved(ref, 1)
        await skipper.fast_forward(runs.handle(ref), A_DAY - timedelta(minutes=1))
        await runs.deliver(ref, a_plain_note(at=45))
        await runs.until_saved(ref, 2)
        await skipper.fast_forward(runs.handle(ref), timedelta(minutes=2))
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.COMPLETED


async def test_reopening_within_the_grace_cancels_completion(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    skipper = TimeSkipper(runs.client)
    async with runs.worker():
        await runs.deliver(ref, resolved())
        await runs.until_saved(ref, 1)
        await skipper.fast_forward(runs.handle(ref), A_DAY / 2)
        await runs.deliver(ref, reopened())
        assert (await runs.until_saved(ref, 2)).status is IncidentStatus.TRIGGERED
        await skipper.fast_forward(runs.handle(ref), A_DAY)
        assert (await runs.handle(ref).describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_late_event_after_completion_is_saved_by_a_run_that_ends_at_once(runs: IncidentRuns) -> None:
    runs.complete_after = timedelta()
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, triggered(), resolved())
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.COMPLETED
        first = (await runs.handle(ref).describe()).run_id
        runs.complete_after = A_DAY
        await runs.deliver(ref, a_plain_note())
        issue = await runs.until_saved(ref, 3)
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.COMPLETED
        assert (await runs.handle(ref).describe()).run_id != first
    assert issue.status is IncidentStatus.RESOLVED


async def test_a_duplicate_after_completion_changes_nothing_and_the_run_ends_at_once(
    runs: IncidentRuns,
) -> None:
    runs.complete_after = timedelta()
    ref, events = runs.an_incident(), (triggered(), acknowledged(), resolved())
    async with runs.worker():
        await runs.deliver(ref, *events)
        await runs.until_closed(ref)
        before = await runs.until_saved(ref, 3)
        first = (await runs.handle(ref).describe()).run_id
        runs.complete_after = A_DAY
        await runs.deliver(ref, *events)
        await eventually(lambda: runs.handle(ref).describe(), lambda found: found.run_id != first)
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.COMPLETED
        assert await runs.until_saved(ref, 3) == before


async def test_reopening_after_completion_continues_the_same_issue(runs: IncidentRuns) -> None:
    runs.complete_after = timedelta()
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, triggered(), resolved())
        await runs.until_closed(ref)
        before = await runs.until_saved(ref, 2)
        await runs.deliver(ref, reopened())
        after = await runs.until_saved(ref, 3)
        assert (await runs.handle(ref).describe()).status is WorkflowExecutionStatus.RUNNING
    assert after.ref.issue_id == before.ref.issue_id
    assert (after.status, after.created_at) == (IncidentStatus.TRIGGERED, before.created_at)
    assert after.resolved_at is None


async def test_after_a_run_was_terminated_nothing_is_doubled_and_the_status_is_kept(
    runs: IncidentRuns,
) -> None:
    ref, events = runs.an_incident(), (triggered(), acknowledged())
    async with runs.worker():
        await runs.deliver(ref, *events)
        await runs.until_saved(ref, 2)
        await runs.handle(ref).terminate()
        await runs.deliver(ref, *events, a_plain_note())
        issue = await runs.until_saved(ref, 3)
    assert issue.status is IncidentStatus.ACKNOWLEDGED
