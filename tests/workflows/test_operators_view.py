"""What operators see in the Temporal UI: search attributes, summary, current details, queries."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.lifecycle import IncidentState, RememberedEvent
from calmo_pagerduty.incidents.operator_links import issue_address, operator_links
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.client import MissingSearchAttributes, ensure_search_attributes, runtime
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from tests.support.builders import NOON, an_event, facts, minutes
from tests.support.eventually import eventually
from tests.support.incident_runs import PUBLIC, IncidentRuns
from workflows import names

TRIGGERED = facts(
    EventType.TRIGGERED, at=NOON, priority="P1", service_id="PBASKET", team_ids=("PWEB", "PDB"), number=42
)


def acknowledged() -> Any:
    return facts(EventType.ACKNOWLEDGED, at=NOON + minutes(5), status=IncidentStatus.ACKNOWLEDGED)


def a_plain_note(at: float) -> Any:
    return facts(EventType.ANNOTATED, at=NOON + minutes(at), shows_incident=False)


async def details_of(runs: IncidentRuns, ref: IncidentRef) -> str:
    metadata = await runs.handle(ref).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert isinstance(metadata, WorkflowMetadata)
    return metadata.current_details


async def searchable(runs: IncidentRuns, ref: IncidentRef) -> dict[str, Any]:
    attributes = (await runs.handle(ref).describe()).typed_search_attributes
    return {key.name: attributes.get(key) for key in names.SEARCH_ATTRIBUTES}


async def test_an_incident_can_be_found_by_all_that_operators_ask_for(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, TRIGGERED)
        await runs.until_saved(ref, 1)
        query = (
            f"PdIncidentId='{ref.incident_id}' AND PdConnection='{ref.connection_id}'"
            " AND PdScope='organization:acme' AND PdStatus='triggered' AND PdSeverity='critical'"
            " AND PdPriority='P1' AND PdService='PBASKET' AND PdTeam='PDB'"
        )

        async def found() -> list[str]:
            return [execution.id async for execution in runs.client.list_workflows(query)]

        assert await eventually(found) == [ref.workflow_id]


async def test_a_new_incident_can_be_found_before_any_worker_has_seen_it(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    await runs.deliver(ref, TRIGGERED, acknowledged())
    found = await searchable(runs, ref)
    assert (found["PdStatus"], found["PdSeverity"], found["PdTeam"]) == ("acknowledged", "medium", None)
    async with runs.worker():
        await runs.until_saved(ref, 2)
        history = await runs.handle(ref).fetch_history()
    assert not [
        event
        for event in history.events
        if event.HasField("upsert_workflow_search_attributes_event_attributes")
    ]


async def test_what_operators_search_for_follows_the_incident(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, TRIGGERED)
        await runs.deliver(ref, acknowledged())
        await runs.until_saved(ref, 2)
        await eventually(
            lambda: searchable(runs, ref), lambda found: found["PdStatus"] == IncidentStatus.ACKNOWLEDGED
        )
        found = await searchable(runs, ref)
    assert (found["PdSeverity"], found["PdPriority"], found["PdTeam"]) == (Severity.MEDIUM, "", None)


async def test_a_run_that_follows_a_terminated_one_can_be_found_as_before(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        payload = an_event(EventType.TRIGGERED, ref.incident_id, at=NOON)
        await runs.deliver(ref, runs.take_in(ref, payload))
        await runs.until_saved(ref, 1)
        before = await eventually(lambda: searchable(runs, ref), lambda found: found["PdStatus"] is not None)
        await runs.handle(ref).terminate()
        await runs.deliver(ref, a_plain_note(1))
        await runs.until_saved(ref, 2)
        await eventually(lambda: searchable(runs, ref), lambda found: found == before)
    assert (before["PdStatus"], before["PdService"], before["PdTeam"]) == (
        "triggered",
        "PSERVICE1",
        ["PTEAM1"],
    )


async def test_an_incidents_workflow_id_can_be_guessed_and_its_summary_names_it(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, TRIGGERED)
        await runs.until_saved(ref, 1)
        description = await runs.handle(ref).describe()
    assert description.id == f"pd-incident:{ref.incident_id}:{ref.connection_id}"
    assert await description.static_summary() == f"PagerDuty incident {ref.incident_id} of organization:acme"
    assert await description.static_details() == operator_links(PUBLIC, ref)


def test_the_links_back_hold_the_issues_id_and_nothing_of_the_account() -> None:
    ref = IncidentRef(connection_id="con_1", incident_id="Q1ABC")
    issue = f"{PUBLIC}/dashboard/issues/{ref.issue_id}"
    assert re.findall(r"\((.*?)\)", operator_links(PUBLIC, ref)) == [issue, f"{issue}/pagerduty"]


async def test_the_details_say_where_the_incident_stands_and_what_it_waits_for(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, TRIGGERED)
        await runs.until_saved(ref, 1)
        assert "is **triggered**" in await details_of(runs, ref)
        await runs.deliver(
            ref, facts(EventType.RESOLVED, at=NOON + minutes(9), status=IncidentStatus.RESOLVED)
        )
        await runs.until_saved(ref, 2)
        details = await details_of(runs, ref)
    assert "is **resolved**" in details
    assert "- Waits for a reopening; completes at " in details


async def test_the_details_are_there_after_continue_as_new(runs: IncidentRuns) -> None:
    runs.continue_as_new_after = 8
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, TRIGGERED)
        await runs.until_saved(ref, 1)
        first = (await runs.handle(ref).describe()).run_id
        await runs.deliver(ref, a_plain_note(1))
        await eventually(lambda: runs.handle(ref).describe(), lambda found: found.run_id != first)
        assert "is **triggered**" in await details_of(runs, ref)
        assert (await searchable(runs, ref))["PdStatus"] == "triggered"
        # Temporal shows what a run was started with for that run only.
        assert f"({issue_address(PUBLIC, ref)})" in await details_of(runs, ref)


async def test_steps_and_timers_are_named(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(
            ref, TRIGGERED, facts(EventType.RESOLVED, at=NOON + minutes(1), status=IncidentStatus.RESOLVED)
        )
        await runs.until_saved(ref, 2)

        async def summaries() -> list[str]:
            history = runs.handle(ref).fetch_history_events()
            return [
                event.user_metadata.summary.data.decode()
                async for event in history
                if event.user_metadata.HasField("summary")
            ]

        found = await eventually(summaries, lambda found: len(found) >= 3)
    assert found[1:] == ['"save 2 event(s)"', '"completes if it isn\'t reopened"']


async def test_state_and_timeline_can_be_asked_for(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, acknowledged())
        await runs.until_saved(ref, 1)
        await runs.deliver(ref, TRIGGERED)
        await runs.until_saved(ref, 2)
        state = await runs.handle(ref).query(names.QUERY_STATE, result_type=IncidentState)
        timeline = await runs.handle(ref).query(names.QUERY_TIMELINE, result_type=list[RememberedEvent])
    assert (state.status, state.as_of) == (IncidentStatus.ACKNOWLEDGED, NOON + minutes(5))
    assert [(event.event_type, event.moved) for event in timeline] == [
        (EventType.TRIGGERED, False),
        (EventType.ACKNOWLEDGED, True),
    ]


async def test_a_completed_incident_can_still_be_asked(runs: IncidentRuns) -> None:
    runs.complete_after = NOON - NOON
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, facts(EventType.RESOLVED, status=IncidentStatus.RESOLVED))
        await runs.until_closed(ref)
        state = await runs.handle(ref).query(names.QUERY_STATE, result_type=IncidentState)
        result = await runs.handle(ref).result()
    assert state.status is IncidentStatus.RESOLVED
    assert result["status"] == "resolved"


def test_the_search_attributes_fit_what_sql_allows() -> None:
    kinds = [key.indexed_value_type for key in names.SEARCH_ATTRIBUTES]
    keywords = kinds.count(SearchAttributeIndexedValueType.KEYWORD)
    assert keywords <= names.MAX_KEYWORDS
    for kind in set(kinds) - {SearchAttributeIndexedValueType.KEYWORD}:
        assert kinds.count(kind) <= 3


@pytest.fixture
async def a_server_full_of_keywords(tmp_path: Path) -> AsyncIterator[Client]:
    others = [SearchAttributeKey.for_keyword(f"Other{number}") for number in range(names.MAX_KEYWORDS - 2)]
    server = TemporalDevServer(log_file=tmp_path / "temporal.log", port=free_port(), search_attributes=others)
    await server.start()
    yield await Client.connect(server.address, runtime=runtime())
    await server.stop()


async def test_a_namespace_without_room_for_them_is_refused_by_name(
    a_server_full_of_keywords: Client,
) -> None:
    with pytest.raises(MissingSearchAttributes, match="PdIncidentId"):
        await ensure_search_attributes(a_server_full_of_keywords, names.SEARCH_ATTRIBUTES)
    with pytest.raises(MissingSearchAttributes, match="Other0"):
        # The name is there, but of another type.
        await ensure_search_attributes(a_server_full_of_keywords, [SearchAttributeKey.for_int("Other0")])


async def test_missing_search_attributes_are_added_where_there_is_room(
    a_server_full_of_keywords: Client,
) -> None:
    keys: list[SearchAttributeKey[Any]] = [names.STATUS, names.TEAM]
    await ensure_search_attributes(a_server_full_of_keywords, keys)
    await ensure_search_attributes(a_server_full_of_keywords, keys)
