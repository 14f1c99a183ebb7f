"""Whose an API key is: a person or nobody in particular, for which teams, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from tests.support.doors import rows

pytestmark = pytest.mark.each_database

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ACME = Scope.parse("organization:acme")


def create(database: Database, *permissions: str, scopes: list[Scope] | None = None, **more: Any) -> str:
    return database.write_blocking(
        lambda t: api_keys.insert_key(t, "the till", permissions, scopes, NOW, **more)
    )


def caller_of(database: Database, key: str, now: datetime = NOW) -> Principal | None:
    return database.read_blocking(lambda t: api_keys.get_principal(t, key.split("_")[1], now))


def find(database: Database, key: str, now: datetime = NOW) -> Principal | None:
    return database.read_blocking(lambda t: api_keys.get_principal_by_key(t, key, now))


def change(database: Database, **columns: Any) -> None:
    database.write_blocking(lambda t: t.execute(sa.update(tables.api_keys).values(**columns)))


def test_a_key_is_recognised_by_its_text_and_later_by_its_id(database: Database) -> None:
    key = create(
        database, "tools:write", "tools:read", scopes=[ACME], person="robin", teams=("PTEAM2", "PTEAM1")
    )
    expected = Principal(
        key.split("_")[1],
        frozenset({"tools:read", "tools:write"}),
        Visibility((ACME,)),
        "robin",
        ("PTEAM2", "PTEAM1"),
        person="robin",
        owner="person:robin",
    )
    assert find(database, key) == caller_of(database, key) == expected


def test_a_key_of_nobody_in_particular_goes_by_its_name(database: Database) -> None:
    caller = caller_of(database, create(database))
    assert caller is not None
    assert (caller.who, caller.teams, caller.permissions) == ("the till", (), frozenset())
    assert caller.visibility == EVERYTHING


def test_two_keys_of_one_person_are_the_same_persons(database: Database) -> None:
    callers = [caller_of(database, create(database, person="robin")) for _ in range(2)]
    assert len({caller.key_id for caller in callers if caller}) == 2
    assert {caller.who for caller in callers if caller} == {"robin"}


def test_an_unknown_key_is_nobodys(database: Database) -> None:
    create(database)
    for key in ("calmo_unknown", "calmo_", f"calmo_{'a' * 16}"):
        assert caller_of(database, key) is None


def test_a_key_that_was_recognised_ends_at_its_expiry(database: Database) -> None:
    key = create(database)
    change(database, expires_at=NOW + timedelta(hours=1))
    for look in (find, caller_of):
        assert look(database, key, NOW + timedelta(minutes=59)) is not None
        assert look(database, key, NOW + timedelta(hours=1)) is None


def test_a_key_that_was_recognised_ends_when_it_is_revoked(database: Database) -> None:
    key = create(database)
    assert caller_of(database, key) is not None
    change(database, revoked_at=NOW)
    assert find(database, key) is caller_of(database, key) is None


def test_a_key_may_do_what_it_is_granted_and_no_other_key_may(database: Database) -> None:
    key, other = create(database, "issues:read", person="robin"), create(database, "issues:read")
    before = caller_of(database, key)
    assert before is not None
    database.write_blocking(lambda t: api_keys.update_permissions(t, key, ["issues:read", "tools:read"]))
    granted, untouched = caller_of(database, key), caller_of(database, other)
    assert granted is not None
    assert untouched is not None
    assert granted.permissions == {"issues:read", "tools:read"}
    assert (granted.who, granted.visibility) == (before.who, before.visibility)
    assert untouched.permissions == {"issues:read"}


@pytest.mark.parametrize("text", ["", "calmo_", "nonsense", "calmo_a_b_c"])
def test_what_is_no_key_is_granted_nothing(database: Database, text: str) -> None:
    create(database, "issues:read")
    database.write_blocking(lambda t: api_keys.update_permissions(t, text, ["tools:write"]))
    assert [row.permissions for row in rows(database, tables.api_keys)] == [["issues:read"]]


def test_a_grant_does_not_bring_a_revoked_key_back(database: Database) -> None:
    key = create(database)
    change(database, revoked_at=NOW)
    database.write_blocking(lambda t: api_keys.update_permissions(t, key, ["tools:read"]))
    assert find(database, key) is None
