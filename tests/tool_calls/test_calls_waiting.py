"""Calls of tools that wait and run: who may decide, what counts against a cap, what is overdue."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState
from calmo_pagerduty.tool_calls.store import CallCursor
from tests.support.call_records import ACME, NOW, ROBIN, decide, filed, finish, get, hours
from tests.support.doors import rows

pytestmark = pytest.mark.each_database

ENDED = sorted(set(CallState) - OPEN_STATES)
COUNTED = {CallState.WAITING, CallState.RUNNING, CallState.DONE, CallState.FAILED, CallState.UNKNOWN}


@pytest.fixture
def connection_id(database: Database) -> str:
    return database.write_blocking(lambda t: connections.insert_connection(t, "Shop", ACME, NOW))


def counted(database: Database, connection_id: str, tool: str = "add_incident_note") -> int:
    return database.read_blocking(lambda t: tool_calls.count_recent_calls(t, connection_id, tool, NOW))


def overdue(
    database: Database,
    begun_before: datetime,
    now: datetime,
    limit: int = 10,
    after: CallCursor | None = None,
) -> list[str]:
    found = database.read_blocking(
        lambda t: tool_calls.list_overdue_calls(t, begun_before, now, after, limit)
    )
    return [call.idempotency_key for call in found]


def test_a_decision_is_kept_with_who_made_it_and_when(database: Database, connection_id: str) -> None:
    yes, no = (filed(database, connection_id, key, state=CallState.WAITING) for key in ("yes", "no"))
    assert decide(database, yes, CallState.RUNNING, NOW + hours(1))
    assert decide(database, no, CallState.DENIED, NOW + hours(2))
    approved, denied = get(database, yes), get(database, no)
    assert (approved.state, approved.approver, approved.decided_at) == ("running", "kim", NOW + hours(1))
    assert approved.finished_at is None
    assert (denied.state, denied.approver, denied.decided_at) == ("denied", "kim", NOW + hours(2))
    assert denied.finished_at == NOW + hours(2)


@pytest.mark.parametrize("state", sorted(set(CallState) - {CallState.WAITING}))
def test_only_a_call_that_waits_can_be_decided(
    database: Database, connection_id: str, state: CallState
) -> None:
    call_id = filed(database, connection_id, state=state)
    before = get(database, call_id)
    for decision in (CallState.RUNNING, CallState.DENIED):
        assert not decide(database, call_id, decision)
    assert get(database, call_id) == before


def test_the_first_decision_counts(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id, state=CallState.WAITING)
    with ThreadPoolExecutor(4) as pool:
        decisions = [CallState.RUNNING, CallState.DENIED] * 4
        decided = list(pool.map(lambda state: decide(database, call_id, state), decisions))
    assert sum(decided) == 1
    assert get(database, call_id).state is decisions[decided.index(True)]


def test_nobody_approves_what_has_waited_too_long(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id, state=CallState.WAITING, expires_at=NOW + hours(1))
    assert not decide(database, call_id, CallState.RUNNING, NOW + hours(1))
    assert get(database, call_id).state is CallState.WAITING
    assert decide(database, call_id, CallState.RUNNING, NOW + hours(1) - timedelta(microseconds=1))


def test_the_first_attempts_moment_stays(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id)
    assert (get(database, call_id).attempts, get(database, call_id).first_attempt_at) == (0, None)
    for number in range(1, 4):
        moment = NOW + hours(number)
        database.write_blocking(lambda t: tool_calls.mark_attempt_started(t, call_id, moment))
        call = get(database, call_id)
        assert (call.attempts, call.first_attempt_at) == (number, NOW + hours(1))


def test_an_attempt_that_changed_nothing_leaves_no_doubt(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id)
    before = get(database, call_id)
    database.write_blocking(lambda t: tool_calls.mark_attempt_started(t, call_id, NOW))
    assert database.write_blocking(lambda t: tool_calls.mark_attempt_without_effect(t, before))
    call = get(database, call_id)
    assert (call.attempts, call.first_attempt_at) == (1, None)


def test_an_attempt_that_is_over_says_nothing_of_one_that_runs(
    database: Database, connection_id: str
) -> None:
    """A worker that was thought dead speaks up late."""
    call_id = filed(database, connection_id)
    before = get(database, call_id)
    for moment in (NOW, NOW + hours(1)):
        database.write_blocking(lambda t: tool_calls.mark_attempt_started(t, call_id, moment))
    assert not database.write_blocking(lambda t: tool_calls.mark_attempt_without_effect(t, before))
    assert get(database, call_id).first_attempt_at == NOW


@pytest.mark.parametrize("state", CallState)
def test_what_never_reached_pagerduty_does_not_count(
    database: Database, connection_id: str, state: CallState
) -> None:
    filed(database, connection_id, state=state)
    assert counted(database, connection_id) == (state in COUNTED)


def test_what_is_over_an_hour_old_does_not_count(database: Database, connection_id: str) -> None:
    for minutes in (0, 30, 59.99, 60, 61, 60 * 24):
        filed(database, connection_id, str(minutes), created_at=NOW - timedelta(minutes=minutes))
    assert counted(database, connection_id) == 3


def test_each_tool_on_each_connection_is_counted_by_itself(database: Database, connection_id: str) -> None:
    second = database.write_blocking(lambda t: connections.insert_connection(t, "Till", ACME, NOW))
    for number in range(3):
        filed(database, connection_id, f"a{number}")
    filed(database, connection_id, "other tool", tool="resolve_incident")
    filed(database, second, "other connection")
    filed(database, connection_id, "other caller", key_id="key2")
    assert counted(database, connection_id) == 4
    assert counted(database, connection_id, "resolve_incident") == counted(database, second) == 1
    assert counted(database, second, "resolve_incident") == 0


def test_a_call_that_is_denied_gives_its_place_back(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id, state=CallState.WAITING)
    assert counted(database, connection_id) == 1
    decide(database, call_id, CallState.DENIED)
    assert counted(database, connection_id) == 0


def test_what_has_run_or_waited_for_too_long_is_overdue(database: Database, connection_id: str) -> None:
    waiting, running = CallState.WAITING, CallState.RUNNING
    calls: dict[str, dict[str, Any]] = {
        "runs for long": {"state": running, "created_at": NOW - hours(5)},
        "has just begun": {"state": running},
        "was just approved": {"state": running, "created_at": NOW - hours(9), "decided_at": NOW},
        "was approved long ago": {
            "state": running,
            "created_at": NOW - hours(8),
            "decided_at": NOW - hours(6),
        },
        "may wait": {"state": waiting, "created_at": NOW - hours(7), "expires_at": NOW + hours(1)},
        "waits for ever": {"state": waiting, "created_at": NOW - hours(7)},
        "waited too long": {"state": waiting, "created_at": NOW - hours(6), "expires_at": NOW - hours(1)},
    }
    for key, values in calls.items():
        filed(database, connection_id, key, **values)
    for state in ENDED:
        old = NOW - hours(20)
        filed(database, connection_id, f"is {state}", state=state, created_at=old, expires_at=old)
    expected = ["was approved long ago", "waited too long", "runs for long"]
    assert overdue(database, NOW - hours(1), NOW) == expected
    assert overdue(database, NOW - hours(1), NOW, limit=2) == expected[:2]
    second = next(row for row in rows(database, tables.tool_calls) if row.idempotency_key == expected[1])
    place = CallCursor(second.created_at, second.id)
    assert overdue(database, NOW - hours(1), NOW, after=place) == expected[2:]


def test_somebody_elses_call_is_not_there(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id)
    call = get(database, call_id)
    found = {
        visibility: database.read_blocking(lambda t: tool_calls.get_visible_call(t, visibility, call_id))
        for visibility in (EVERYTHING, Visibility((ROBIN, ACME)), Visibility((ROBIN,)), Visibility())
    }
    assert list(found.values()) == [call, call, None, None]
    assert database.read_blocking(lambda t: tool_calls.get_visible_call(t, EVERYTHING, "tc_unknown")) is None


def test_a_list_holds_what_its_reader_may_see_newest_first(database: Database, connection_id: str) -> None:
    for number, scope in enumerate((ACME, ROBIN, ACME, ROBIN)):
        state = CallState.WAITING if number < 2 else CallState.DONE
        filed(database, connection_id, str(number), scope=scope, state=state, created_at=NOW + hours(number))

    def listed(visibility: Visibility, *states: CallState, limit: int = 10) -> str:
        found = database.read_blocking(
            lambda t: tool_calls.list_calls(t, visibility, frozenset(states), limit)
        )
        return "".join(call.idempotency_key for call in found)

    assert listed(EVERYTHING) == listed(Visibility((ACME, ROBIN))) == "3210"
    assert listed(Visibility((ACME,))) == "20"
    assert listed(Visibility((Scope.parse("personal:acme"),))) == listed(Visibility()) == ""
    assert listed(EVERYTHING, CallState.WAITING) == "10"
    assert listed(Visibility((ROBIN,)), CallState.WAITING, CallState.DONE) == "31"
    assert listed(EVERYTHING, CallState.UNKNOWN) == ""
    assert listed(EVERYTHING, limit=2) == "32"


def test_a_call_may_end_while_it_waits(database: Database, connection_id: str) -> None:
    call_id = filed(database, connection_id, state=CallState.WAITING)
    assert finish(database, call_id, CallState.EXPIRED, NOW + hours(24))
    assert get(database, call_id).finished_at == NOW + hours(24)
    assert not decide(database, call_id, CallState.RUNNING)
