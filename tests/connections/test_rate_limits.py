"""A connection's share of PagerDuty's limits: kept to, whoever asks and whenever."""

import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from calmo_pagerduty.connections import rate_limit_store as permits, store as connections
from calmo_pagerduty.connections.rate_limit_store import BURST_SECONDS, Permit, RateLimitUsage
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import Scope

pytestmark = pytest.mark.each_database

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
WINDOW = 60.0
FOREVER = math.inf
#: Moments are seconds since 1970 in a double, which knows them to a quarter of a microsecond.
EXACT = 1e-4
#: Each example has a connection of its own.
ON_ONE_DATABASE = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: What passes until the next one asks, and how long that one would wait.
ASKINGS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 90)),
        st.one_of(st.just(FOREVER), st.just(0.0), st.floats(0, 30)),
    ),
    max_size=90,
)
RATES = st.one_of(st.integers(1, 40), st.sampled_from([60, 640, 960]))


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def add_connection(transaction: sa.Connection) -> str:
    return connections.insert_connection(transaction, "Shop", Scope.parse("organization:acme"), NOON)


@pytest.fixture
def connection_id(database: Database) -> str:
    return database.write_blocking(add_connection)


def take(
    database: Database, connection_id: str, seconds: float, per_minute: int = 60, patience: float = FOREVER
) -> Permit:
    return database.write_blocking(
        lambda t: permits.claim_permit(t, connection_id, per_minute, patience, at(seconds))
    )


def ask_all(
    database: Database, per_minute: int, askings: Sequence[tuple[float, float]]
) -> list[tuple[float, float, Permit]]:
    """Ask at these moments, on a connection of their own. Returns (moment, patience, permit) of each."""

    def ask(transaction: sa.Connection) -> list[tuple[float, float, Permit]]:
        own = add_connection(transaction)
        return [
            (moment, patience, permits.claim_permit(transaction, own, per_minute, patience, at(moment)))
            for moment, patience in askings
        ]

    return database.write_blocking(ask)


def in_turn(askings: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    moments = itertools.accumulate(pause for pause, _ in askings)
    return [(round(moment, 6), patience) for moment, (_, patience) in zip(moments, askings, strict=True)]


def most_in_a_window(made: Sequence[float]) -> int:
    return max((sum(start <= other < start + WINDOW - EXACT for other in made) for start in made), default=0)


def made_at(asked: Sequence[tuple[float, float, Permit]]) -> list[float]:
    return [moment + permit.wait for moment, _, permit in asked if permit.granted]


@ON_ONE_DATABASE
@given(RATES, ASKINGS)
def test_no_minute_holds_more_requests_than_the_rate_and_the_burst(
    database: Database, per_minute: int, askings: list[tuple[float, float]]
) -> None:
    """The bound: requests are due 60 / rate apart, and none is made over BURST_SECONDS before it is due."""
    asked = ask_all(database, per_minute, in_turn(askings))
    made = made_at(asked)
    assert most_in_a_window(made) <= math.ceil(per_minute * (WINDOW + BURST_SECONDS) / 60)
    assert all(later >= earlier - EXACT for earlier, later in itertools.pairwise(made))
    for _, patience, permit in asked:
        assert permit.wait >= 0
        assert permit.granted is (permit.wait <= patience)


@ON_ONE_DATABASE
@given(RATES, st.lists(st.tuples(st.floats(0, 200), st.just(FOREVER)), max_size=90))
def test_the_bound_holds_though_the_clocks_of_those_who_ask_differ(
    database: Database, per_minute: int, askings: list[tuple[float, float]]
) -> None:
    made = made_at(ask_all(database, per_minute, askings))
    assert len(made) == len(askings)
    assert most_in_a_window(made) <= math.ceil(per_minute * (WINDOW + BURST_SECONDS) / 60)


@ON_ONE_DATABASE
@given(RATES, ASKINGS)
def test_whoever_has_no_patience_takes_nothing_from_the_others(
    database: Database, per_minute: int, askings: list[tuple[float, float]]
) -> None:
    asked = ask_all(database, per_minute, in_turn(askings))
    patient = [(moment, patience) for moment, patience, permit in asked if permit.granted]
    again = ask_all(database, per_minute, patient)
    assert [permit for _, _, permit in again] == [permit for _, _, permit in asked if permit.granted]


@ON_ONE_DATABASE
@given(RATES, st.lists(st.tuples(st.floats(0, 20), st.lists(st.floats(0, 30), max_size=8)), max_size=10))
def test_many_who_ask_together_get_what_they_would_get_one_by_one(
    database: Database, per_minute: int, groups: list[tuple[float, list[float]]]
) -> None:
    moments = list(itertools.accumulate(round(pause, 6) for pause, _ in groups))
    asked = [(moment, patiences) for moment, (_, patiences) in zip(moments, groups, strict=True)]

    def ask_together(transaction: sa.Connection) -> list[Permit]:
        own = add_connection(transaction)
        return [
            permit
            for moment, patiences in asked
            for permit in permits.claim_permits(transaction, own, per_minute, patiences, at(moment))
        ]

    one_by_one = [(moment, patience) for moment, patiences in asked for patience in patiences]
    expected = [permit for _, _, permit in ask_all(database, per_minute, one_by_one)]
    assert database.write_blocking(ask_together) == expected


def test_many_who_ask_during_a_pause_are_all_sent_away(database: Database, connection_id: str) -> None:
    database.write_blocking(lambda t: permits.mark_paused(t, connection_id, at(30)))
    asked = database.write_blocking(
        lambda t: permits.claim_permits(t, connection_id, 60, [FOREVER] * 3, at(10))
    )
    assert asked == [Permit(False, 20.0)] * 3
    waits = [take(database, connection_id, 30.0).wait for _ in range(6)]
    assert waits == pytest.approx([0, 0, 0, 0, 0, 1], abs=EXACT)


@pytest.mark.parametrize("per_minute", [60, 300])
def test_the_share_can_be_used_whole(database: Database, per_minute: int) -> None:
    asked = ask_all(database, per_minute, [(0.0, FOREVER)] * (per_minute * 2))
    made = made_at(asked)
    at_once = [moment for moment in made if moment < EXACT]
    assert len(at_once) == per_minute * BURST_SECONDS / 60 + 1
    assert most_in_a_window(made) == per_minute * (WINDOW + BURST_SECONDS) / 60
    gaps = [later - earlier for earlier, later in itertools.pairwise(made[len(at_once) :])]
    assert gaps == pytest.approx([60 / per_minute] * len(gaps), abs=EXACT)


def test_a_pause_in_asking_gives_back_the_burst_and_no_more(database: Database, connection_id: str) -> None:
    for begin in (0.0, 1000.0, 100_000.0):
        waits = [take(database, connection_id, begin).wait for _ in range(7)]
        assert waits == pytest.approx([0, 0, 0, 0, 0, 1, 2], abs=EXACT)


def test_whoever_asks_first_is_served_first(database: Database, connection_id: str) -> None:
    waits = [take(database, connection_id, 0.0, per_minute=6).wait for _ in range(8)]
    assert waits == pytest.approx([0, 6, 16, 26, 36, 46, 56, 66], abs=EXACT)


def test_the_impatient_learn_how_long_it_would_take(database: Database, connection_id: str) -> None:
    for _ in range(5):
        assert take(database, connection_id, 0.0).granted
    for _ in range(3):
        refused = take(database, connection_id, 0.0, patience=0.5)
        assert not refused.granted
        assert refused.wait == pytest.approx(1.0, abs=EXACT)
    assert take(database, connection_id, 0.0 + refused.wait + EXACT, patience=0.0).granted


def test_while_there_is_a_pause_nobody_may_ask(database: Database, connection_id: str) -> None:
    database.write_blocking(lambda t: permits.mark_paused(t, connection_id, at(30)))
    assert take(database, connection_id, 10.0) == Permit(False, 20.0)
    assert paused_for(database, connection_id, 10.0) == timedelta(seconds=20)
    assert take(database, connection_id, 30.0).granted
    assert (
        paused_for(database, connection_id, 30.0) == paused_for(database, connection_id, 99.0) == timedelta()
    )


@pytest.mark.parametrize("pauses", [(30, 20), (20, 30), (30, 30), (10, 30, 20)])
def test_the_longest_pause_counts(database: Database, connection_id: str, pauses: tuple[int, ...]) -> None:
    for until in pauses:
        database.write_blocking(lambda t: permits.mark_paused(t, connection_id, at(until)))
    assert take(database, connection_id, 25.0) == Permit(False, 5.0)


def test_connections_know_nothing_of_each_other(database: Database, connection_id: str) -> None:
    other = database.write_blocking(add_connection)
    for _ in range(50):
        take(database, connection_id, 0.0)
    database.write_blocking(lambda t: permits.mark_paused(t, connection_id, at(1000)))
    assert take(database, other, 0.0) == Permit(True, 0.0)
    assert paused_for(database, other, 0.0) == timedelta()


def test_nothing_is_known_of_a_connection_that_was_never_used(database: Database, connection_id: str) -> None:
    assert database.read_blocking(lambda t: permits.get_usage(t, connection_id)) == RateLimitUsage()
    assert paused_for(database, connection_id, 0.0) == timedelta()
    take(database, connection_id, 0.0)
    assert database.read_blocking(lambda t: permits.get_usage(t, connection_id)) == RateLimitUsage()


def test_pagerdutys_figures_are_kept_beside_our_own(database: Database, connection_id: str) -> None:
    take(database, connection_id, 0.0)
    figures = {
        "minute_limit": 960,
        "minute_remaining": 12,
        "minute_seen_at": at(1),
        "daily_limit": 500,
        "daily_remaining": 0,
        "daily_reset_at": at(3600),
    }
    database.write_blocking(lambda t: permits.update_usage(t, connection_id, **figures))
    database.write_blocking(lambda t: permits.mark_paused(t, connection_id, at(30.25)))
    database.write_blocking(lambda t: permits.update_usage(t, connection_id, minute_remaining=11))
    told = database.read_blocking(lambda t: permits.get_usage(t, connection_id))
    assert told == RateLimitUsage(at(30.25), 960, 11, at(1), 500, 0, at(3600))


@pytest.fixture
def two_databases(database: Database, migrated_url: str) -> Iterator[tuple[Database, Database]]:
    """The same database, as two processes have it open."""
    second = Database(migrated_url)
    yield database, second
    second.close()


def test_two_processes_share_one_rate(two_databases: tuple[Database, Database], connection_id: str) -> None:
    def ask(number: int) -> float:
        return take(two_databases[number % 2], connection_id, 0.0, per_minute=120).wait

    with ThreadPoolExecutor(4) as pool:
        waits = sorted(pool.map(ask, range(60)))
    # Exactly what one process alone would have got: nothing is handed out twice, and nothing lost.
    assert waits == pytest.approx([max(0.0, number * 0.5 - BURST_SECONDS) for number in range(60)], abs=EXACT)


def test_two_processes_that_begin_at_once_make_one_row(two_databases: tuple[Database, Database]) -> None:
    for _ in range(5):
        own = two_databases[0].write_blocking(add_connection)
        with ThreadPoolExecutor(2) as pool:
            taken = list(
                pool.map(lambda database, own=own: take(database, own, 0.0, per_minute=6), two_databases)
            )
        assert sorted(permit.wait for permit in taken) == pytest.approx([0, 6], abs=EXACT)
    query = sa.select(sa.func.count()).select_from(tables.request_permits)
    assert two_databases[0].read_blocking(lambda t: t.execute(query).scalar_one()) == 5


def paused_for(database: Database, connection_id: str, seconds: float) -> timedelta:
    return database.read_blocking(lambda t: permits.get_pause(t, connection_id, at(seconds)))
