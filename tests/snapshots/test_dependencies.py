"""A snapshot holds who depends on whom, and since when, at a request per service and week."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.snapshots.dependency_history import HISTORY, merge_dependencies
from calmo_pagerduty.snapshots.dependency_model import (
    Dependency,
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.reading import ReadKind, ReadTimes, base_of, plan_reading
from pagerduty_simulator import belongings
from pagerduty_simulator.furnished_shop import furnished_shop
from tests.support.collecting import Collecting, collecting_from
from tests.support.finished_calls import insert_finished_call
from tests.support.snapshots import DAY, TAKEN_AT, empty_snapshot

A, B, C = (ServiceKey(ServiceKind.TECHNICAL, name) for name in ("PA", "PB", "PC"))
SHOP = ServiceKey(ServiceKind.BUSINESS, "PA")


@pytest.fixture
async def collecting(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Collecting]:
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=11)
    async with collecting_from(account, database, keyring, tmp_path) as made:
        yield made


def reading(service: ServiceKey, at: int, *ends: tuple[ServiceKey, ServiceKey]) -> ServiceDependencies:
    return ServiceDependencies(service, at, tuple(Dependency(*edge, at, at) for edge in ends))


def present(items: list[ServiceDependencies]) -> set[tuple[ServiceKey, ServiceKey]]:
    return {edge.ends for item in items for edge in item.supports if edge.gone_at is None}


async def test_a_snapshot_holds_the_whole_graph_and_reads_it_once_a_week(collecting: Collecting) -> None:
    account = collecting.account
    first = await collecting.snapshot()
    wanted = {
        tuple(ServiceKey(ServiceKind(kind), id_) for kind, id_ in (edge.supporting, edge.dependent))
        for edge in account.belongings.dependencies
    }
    assert wanted and present(list(first.dependencies)) == wanted
    assert {service.id for service in first.business_services} == set(account.belongings.business_services)
    before = collecting.requests()
    second = await collecting.snapshot(is_fresh=True)
    asked = collecting.requests() - before
    assert (asked["listBusinessServices"], asked["getTechnicalServiceServiceDependencies"]) == (1, 0)
    assert second.dependencies == first.dependencies


async def test_a_dependency_that_was_declared_here_is_read_at_once(collecting: Collecting) -> None:
    await collecting.take()
    there = {(edge.supporting[1], edge.dependent[1]) for edge in collecting.account.belongings.dependencies}
    pairs = permutations(collecting.account.services, 2)
    supporting, dependent = next(pair for pair in pairs if pair not in there)
    ends = ("technical_service", supporting), ("technical_service", dependent)
    collecting.account.belongings.dependencies.append(belongings.Dependency(f"D{dependent}", *ends))
    arguments = {"dependent_service_id": dependent, "supporting_service_id": supporting}
    at = datetime.now(UTC) + timedelta(seconds=1)
    database, connection_id = collecting.services.database, collecting.connection_id
    insert_finished_call(database, connection_id, "add_service_dependency", at, **arguments)
    before = collecting.requests()
    found = await collecting.snapshot(is_fresh=True)
    asked = collecting.requests() - before
    assert asked["getTechnicalServiceServiceDependencies"] == 2
    declared = tuple(ServiceKey(ServiceKind.TECHNICAL, id_) for id_ in (supporting, dependent))
    [edge] = [edge for item in found.dependencies for edge in item.supports if edge.ends == declared]
    assert edge.absent_at is not None and edge.absent_at <= edge.first_seen


def test_a_daily_snapshot_takes_no_request_for_business_services() -> None:
    base = base_of(empty_snapshot(), ReadTimes(business_services=TAKEN_AT))
    for days, is_read in ((1, False), (6, False), (8, True)):
        kinds = {task.kind for task in plan_reading(TAKEN_AT + days * DAY, base).tasks}
        assert (ReadKind.BUSINESS_SERVICES in kinds) is is_read
    assert ReadKind.BUSINESS_SERVICES in {task.kind for task in plan_reading(TAKEN_AT, base, True).tasks}


def test_the_end_that_was_read_last_decides_whether_a_dependency_is_there() -> None:
    known = merge_dependencies([reading(A, 10, (A, B), (A, SHOP)), reading(B, 11, (A, B))], (), 12)
    assert present(known) == {(A, B), (A, SHOP)}
    later = merge_dependencies([reading(B, 20, (C, B))], known, 21)
    assert present(later) == {(A, SHOP), (C, B)}
    edges = {edge.ends: edge for item in later for edge in item.supports}
    assert edges[A, B] == Dependency(A, B, first_seen=10, last_seen=11, gone_at=20)
    assert edges[C, B] == Dependency(C, B, first_seen=20, last_seen=20, absent_at=11)


def test_a_dependency_that_returns_is_another_one_and_old_ones_are_forgotten() -> None:
    known = merge_dependencies([reading(A, 10, (A, B))], (), 10)
    gone = merge_dependencies([reading(A, 20)], known, 20)
    back = merge_dependencies([reading(A, 30, (A, B))], gone, 30)
    assert [(edge.first_seen, edge.gone_at) for edge in back[0].supports] == [(10, 20), (30, None)]
    year = int(HISTORY.total_seconds())
    assert [edge.first_seen for edge in merge_dependencies((), back, 20 + year)[0].supports] == [30]


def test_a_removed_service_takes_its_dependencies_with_it() -> None:
    known = merge_dependencies([reading(A, 10, (A, B), (A, C))], (), 10)
    left = merge_dependencies((), known, 40, removed={B})
    assert present(left) == {(A, C)}
    assert replace(left[0].supports[0], gone_at=None) == known[0].supports[0]
