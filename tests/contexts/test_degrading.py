"""A source that fails is named, with the reason; the others are there, and the run never fails."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts.gathering import source_service
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.transactions import Transaction
from pagerduty_simulator.rest.faults import Faults
from tests.support.gathering import reasons, states
from tests.support.system import System
from tests.support.watched_pauses import WatchedPauses

FORBIDDEN, NOT_IN_PLAN, UNAVAILABLE = (
    SourceState.FORBIDDEN, SourceState.NOT_IN_PLAN, SourceState.UNAVAILABLE
)  # fmt: skip
#: What each source asks, and which others lack something without it.
ASKS: Mapping[str, tuple[Source, ...]] = {
    "getIncident": (Source.INCIDENT,),
    "listIncidentAlerts": (Source.ALERTS,),
    "listIncidentLogEntries": (Source.LOG, Source.HISTORY),
    "listIncidentNotes": (Source.NOTES,),
    "getTechnicalServiceServiceDependencies": (Source.DEPENDENCIES,),
    "getIncidentImpactedBusinessServices": (Source.BUSINESS_IMPACT,),
    "listIncidents": (Source.OPEN_INCIDENTS, Source.HISTORY),
    "listIncidentRelatedChangeEvents": (Source.RELATED_CHANGES,),
    "getPastIncidents": (Source.PAST_INCIDENTS,),
    "getRelatedIncidents": (Source.RELATED_INCIDENTS,),
    "listOnCalls": (Source.ON_CALL,),
    "listMaintenanceWindows": (Source.MAINTENANCE,),
    "listPriorities": (Source.PRIORITIES,),
}
#: Those that belong to what not every plan has: every run has PagerDuty say so of these.
OF_A_PLAN = frozenset({
    "getTechnicalServiceServiceDependencies", "getIncidentImpactedBusinessServices",
    "listIncidentRelatedChangeEvents", "getPastIncidents", "getRelatedIncidents",
})  # fmt: skip
#: Without these, other sources have a part.
PARTS: Mapping[str, tuple[Source, Source]] = {
    "listServices": (Source.SERVICE, Source.DEPENDENCIES),
    "listBusinessServices": (Source.DEPENDENCIES, Source.DEPENDENCIES),
    "listUsers": (Source.ON_CALL, Source.ON_CALL),
}


def patient_for(seconds: float, monkeypatch: pytest.MonkeyPatch, *sources: Source) -> None:
    """Wait for these sources for so long; for all of them, where none is named."""
    timeout = timedelta(seconds=seconds)
    shortened = {source: SOURCES[source]._replace(timeout=timeout) for source in sources or Source}
    monkeypatch.setattr(source_service, "SOURCES", {**SOURCES, **shortened})


def forget(system: System) -> None:
    """Begin as on the first day."""

    def delete(transaction: Transaction) -> None:
        for table in (tables.account_objects, tables.account_reads, tables.account_incidents):
            transaction.execute(sa.delete(table))

    system.database.write_blocking(delete)
    system.site.faults = Faults()


async def without(system: System, operation: str, fault: str) -> IncidentContext:
    forget(system)
    system.site.faults.fail_next(fault, 100, operation=operation)
    return await system.gather_context(system.trigger())


@pytest.mark.parametrize(
    ("fault", "state", "operations"),
    [
        ("access_denied", FORBIDDEN, frozenset(ASKS)),
        ("no_ability", NOT_IN_PLAN, OF_A_PLAN),
        pytest.param("no_ability", NOT_IN_PLAN, frozenset(ASKS) - OF_A_PLAN, marks=pytest.mark.torture),
    ],
    ids=["access denied", "not in the plan", "not in the plan, though it is in every one"],
)
async def test_each_source_that_pagerduty_refuses_is_named_and_the_others_are_there(
    system: System, fault: str, state: SourceState, operations: frozenset[str]
) -> None:
    for operation, lacking in ASKS.items():
        if operation not in operations:
            continue
        found = await without(system, operation, fault)
        assert found.is_degraded
        told = states(found)
        assert {source for source, actual in told.items() if actual is state} == set(lacking), operation
        others = {source: actual for source, actual in told.items() if source not in lacking}
        if operation == "getIncident":
            # What it is about isn't known then: neither is there nothing.
            for source in (Source.SERVICE, Source.DEPENDENCIES, Source.ON_CALL):
                assert others.pop(source) is UNAVAILABLE
                assert "is not known" in reasons(found)[source]
        assert set(others.values()) == {SourceState.COMPLETE}, operation
        assert all(reasons(found)[source] for source in lacking)


async def test_without_names_or_time_zones_the_rest_is_there(system: System) -> None:
    for operation, (_, partial) in PARTS.items():
        found = await without(system, operation, "access_denied")
        assert states(found)[partial] is SourceState.PARTIAL, operation
        assert "Access Denied" in reasons(found)[partial]


async def test_changes_of_the_services_nearby_stand_in_for_those_of_the_account(system: System) -> None:
    found = await without(system, "listChangeEvents", "access_denied")
    assert states(found)[Source.CHANGES] is SourceState.PARTIAL
    assert "of this service and of 2 that it depends on" in reasons(found)[Source.CHANGES]
    told = {change.summary.text for change in found.assessment.changes}
    assert {"Release 412: retry failed card authorisations"} <= told


async def test_when_pagerduty_is_down_for_everything_the_context_says_so(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient_for(2.5, monkeypatch)
    system.site.faults = Faults(rate=1.0, kinds=("500",))
    ref = system.trigger()
    found = await system.gather_context(ref)
    assert set(states(found).values()) <= {UNAVAILABLE, SourceState.NOT_APPLICABLE, SourceState.PARTIAL}
    assert found.assessment.incident.incident.id == ref.incident_id
    assert found.assessment.root_cause.candidates == ()


async def test_a_source_that_never_answers_costs_its_patience_only(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient_for(2.5, monkeypatch, Source.NOTES)
    faults = system.hang("listIncidentNotes")
    found = await system.gather_context(system.trigger())
    faults.release()
    told = states(found)
    assert told.pop(Source.NOTES) is UNAVAILABLE
    assert set(told.values()) == {SourceState.COMPLETE}
    assert reasons(found)[Source.NOTES] == "PagerDuty did not answer within 2 seconds"


async def test_a_fault_that_passes_is_outlasted(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = WatchedPauses(monkeypatch)
    for operation in ("getIncident", "listIncidentAlerts", "listIncidents"):
        system.site.faults.fail_next("500", operation=operation)
    system.site.faults.fail_next("429", operation="listIncidentNotes")
    found = await system.gather_context(system.trigger())
    assert set(states(found).values()) == {SourceState.COMPLETE}
    assert (watched.heard, watched.pressed) == (1, 0)


async def test_an_incident_that_pagerduty_hides_is_told_by_our_issue_or_its_id(system: System) -> None:
    ref = system.ref("QNOTTHERE00001")
    found = await system.gather_context(ref)
    assert states(found)[Source.INCIDENT] is UNAVAILABLE
    assert found.assessment.incident.title.text == "PagerDuty incident QNOTTHERE00001"


async def test_what_the_plan_lacks_is_not_asked_for_again(system: System) -> None:
    system.site.abilities.discard("event_intelligence")
    await system.gather_context(system.trigger())
    before = system.requests_so_far()
    found = await system.gather_context(system.trigger())
    assert states(found)[Source.PAST_INCIDENTS] is NOT_IN_PLAN
    assert system.asked(before)["getPastIncidents"] == 0


async def test_what_was_known_a_while_ago_stands_in_with_its_age(system: System) -> None:
    ref = system.trigger()
    await system.gather_context(ref)
    system.database.write_blocking(
        lambda t: t.execute(
            sa.text("UPDATE account_objects SET fetched_at = :at WHERE kind = 'services'"),
            {"at": "2026-01-01 00:00:00"},
        )
    )
    system.site.faults.fail_next("access_denied", 100, operation="listServices")
    stale = await system.gather_context(ref)
    assert states(stale)[Source.SERVICE] is FORBIDDEN


async def test_a_connection_without_a_token_has_a_context_of_our_own_records(system: System) -> None:
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, token_kind=None, token_sealed=None)
    )
    ref = system.trigger()
    before = system.requests_so_far()
    found = await system.gather_context(ref)
    assert system.requests_so_far() == before
    assert found.is_degraded
    assert {reasons(found)[source] for source in (Source.ALERTS, Source.CHANGES, Source.ON_CALL)} == {
        "the connection has no PagerDuty token"
    }


async def test_dependencies_of_which_some_are_hidden_are_shown_as_far_as_they_are_seen(
    system: System,
) -> None:
    system.site.faults.fail_next("access_denied", 100, operation="getBusinessServiceServiceDependencies")
    found = await system.gather_context(system.trigger())
    assert states(found)[Source.DEPENDENCIES] is SourceState.PARTIAL
    assert reasons(found)[Source.DEPENDENCIES].startswith("PagerDuty hides the dependencies of")
    surrounding = found.assessment.surrounding
    assert surrounding.business and surrounding.upstream
    before = system.requests_so_far()
    again = await system.gather_context(system.trigger())
    assert states(again)[Source.DEPENDENCIES] is SourceState.PARTIAL
    assert system.asked(before)["getBusinessServiceServiceDependencies"] == 0, "it is remembered for hours"
