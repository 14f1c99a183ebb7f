"""What only one process may do at a time."""

from datetime import timedelta

import pytest

from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.settings import Settings

pytestmark = pytest.mark.each_database

TTL = timedelta(minutes=1)
EXPIRED = timedelta(seconds=-1)


def take(database: Database, holder: str, ttl: timedelta = TTL, name: str = "forwarder") -> bool:
    return database.write_blocking(lambda c: leases.claim_lease(c, name, holder, ttl))


def test_a_lease_is_one_holders_until_it_is_released(database: Database) -> None:
    assert take(database, "first")
    assert not take(database, "second")
    assert take(database, "first")
    database.write_blocking(lambda c: leases.delete_lease(c, "forwarder", "first"))
    assert take(database, "second")
    assert not take(database, "first")


def test_a_holder_that_does_not_renew_loses_its_lease(database: Database) -> None:
    assert take(database, "first", EXPIRED)
    assert take(database, "second")
    assert not take(database, "first")


def test_a_lease_is_claimable_by_its_holder_and_by_all_once_it_is_free(database: Database) -> None:
    def claimable(holder: str) -> bool:
        return database.read_blocking(lambda c: leases.is_claimable(c, "forwarder", holder))

    assert claimable("second")
    assert take(database, "first")
    assert (claimable("first"), claimable("second")) == (True, False)
    assert take(database, "first", EXPIRED)
    assert claimable("second")


def test_only_the_holder_can_release(database: Database) -> None:
    assert take(database, "first")
    database.write_blocking(lambda c: leases.delete_lease(c, "forwarder", "second"))
    assert not take(database, "second")


def test_processes_on_hosts_of_the_same_name_hold_no_lease_together(database: Database) -> None:
    here, there = Settings(http_port=8080), Settings(http_port=8080)
    assert take(database, here.instance)
    assert not take(database, there.instance)
    assert take(database, here.instance)


def test_leases_of_other_names_are_free(database: Database) -> None:
    assert take(database, "first")
    assert take(database, "second", name="sweeper")
