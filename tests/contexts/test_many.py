"""Many incidents at once: the connection's other work keeps its room, and PagerDuty's limit holds."""

import asyncio

import pytest

from calmo_pagerduty.connections.rate_limit_store import DEFAULT_PER_MINUTE
from calmo_pagerduty.contexts import store
from calmo_pagerduty.contexts.sources import SourceState
from calmo_pagerduty.db import tables
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from pagerduty_simulator.rest.faults import Faults
from tests.support.connected import add_connection
from tests.support.doors import rows
from tests.support.gathering import reasons, set_pace, states
from tests.support.system import System
from tests.support.watched_pauses import WatchedPauses


@pytest.fixture(autouse=True)
def paced(system: System) -> None:
    set_pace(system, None)


async def at_once(system: System, count: int) -> None:
    refs = [system.trigger(f"Checkout API: latency above {number} ms") for number in range(count)]
    found = await asyncio.gather(*(system.gather_context(ref) for ref in refs))
    for context in found:
        assert set(states(context).values()) == {SourceState.COMPLETE}, reasons(context)


def most_in_a_minute(system: System, since: int) -> int:
    moments = [request.at for request in list(system.site.requests)[since:]]
    return max(sum(begin <= at < begin + 60 for at in moments) for begin in moments)


async def test_incidents_at_once_share_what_the_account_is_asked(system: System) -> None:
    await system.gather_context(system.trigger())
    before = system.requests_so_far()
    await at_once(system, 8)
    asked = system.asked(before)
    assert asked["getIncident"] == 8
    # Each is held to be known for some seconds: a slow machine may need a second one.
    for operation in ("listIncidents", "listChangeEvents", "listOnCalls"):
        assert asked[operation] <= 3, operation
    assert asked["listServices"] == asked["listUsers"] == asked["listPriorities"] == 0
    assert most_in_a_minute(system, before) <= DEFAULT_PER_MINUTE // 2


@pytest.mark.torture
async def test_fifty_at_once_take_half_of_the_connections_requests_and_none_is_degraded(
    system: System,
) -> None:
    await system.gather_context(system.trigger())
    before = system.requests_so_far()
    await at_once(system, 50)
    assert most_in_a_minute(system, before) <= DEFAULT_PER_MINUTE // 2
    assert all(request.status != 429 for request in system.site.requests)


async def test_a_storm_of_429s_is_waited_out_without_a_request_too_many(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = WatchedPauses(monkeypatch)
    system.site.faults = Faults(rate=0.2, kinds=("429",), seed=3, reset_seconds=2)
    refs = [system.trigger() for _ in range(3)]
    found = await asyncio.gather(*(system.gather_context(ref) for ref in refs))
    for context in found:
        for source, state in states(context).items():
            assert state in {SourceState.COMPLETE, SourceState.PARTIAL, SourceState.UNAVAILABLE}
            assert state is SourceState.COMPLETE or "limit" in reasons(context)[source].lower()
    assert watched.heard > 0
    assert watched.pressed == 0


async def test_what_is_remembered_of_one_connection_is_never_used_for_another(system: System) -> None:
    ref = system.trigger()
    await system.gather_context(ref)
    other = add_connection(system.database, system.keyring, "organization:bank")
    theirs = IncidentRef(connection_id=other, incident_id=ref.incident_id)
    assert theirs.issue_id != ref.issue_id
    system.site.faults = Faults(rate=1.0, kinds=("access_denied",))
    found = await system.gather_context(theirs)
    assert set(states(found).values()) <= {SourceState.FORBIDDEN, SourceState.UNAVAILABLE}
    assert found.assessment.similar == () and found.assessment.surrounding.upstream == ()
    for table in (tables.account_objects, tables.account_incidents, tables.account_changes):
        assert {row.connection_id for row in rows(system.database, table)} == {ref.connection_id}
    bank, acme = (Visibility((Scope.parse(f"organization:{name}"),)) for name in ("bank", "acme"))
    for seen_by, mine, foreign in ((bank, theirs, ref), (acme, ref, theirs)):
        read = system.database.read_blocking
        assert read(lambda t: store.get_version(t, seen_by, mine.issue_id), seen_by) is not None
        assert read(lambda t: store.get_version(t, seen_by, foreign.issue_id), seen_by) is None
