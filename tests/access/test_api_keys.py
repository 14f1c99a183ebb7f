"""API keys: shown once, kept as a hash, refused when anything about them is wrong."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from tests.support.doors import rows

NOW = datetime.now(UTC)
ACME = Scope.parse("organization:acme")


def create(database: Database, scopes: list[Scope] | None = None) -> str:
    return database.write_blocking(lambda c: api_keys.insert_key(c, "test", ["issues:read"], scopes, NOW))


def find(database: Database, text: str, now: datetime = NOW) -> api_keys.Principal | None:
    return database.read_blocking(lambda c: api_keys.get_principal_by_key(c, text, now))


def change(database: Database, **columns: datetime) -> None:
    database.write_blocking(lambda c: c.execute(sa.update(tables.api_keys).values(**columns)))


@pytest.mark.each_database
def test_a_key_is_found_with_what_it_may_do_and_see(database: Database) -> None:
    caller = find(database, create(database, [ACME]))
    assert caller is not None
    assert caller.permissions == {"issues:read"}
    assert caller.visibility == Visibility((ACME,))


@pytest.mark.each_database
def test_a_key_without_scopes_sees_everything_and_one_with_none_of_them_nothing(database: Database) -> None:
    operator, nobody = find(database, create(database)), find(database, create(database, []))
    assert operator is not None
    assert nobody is not None
    assert operator.visibility == EVERYTHING
    assert not nobody.visibility.admits(ACME)


@pytest.mark.each_database
def test_the_keys_secret_is_kept_nowhere(database: Database) -> None:
    key = create(database)
    secret = key.split("_")[2]
    assert secret not in str(rows(database, tables.api_keys))


@pytest.mark.each_database
def test_each_key_is_another_one(database: Database) -> None:
    assert len({create(database) for _ in range(20)}) == 20


def test_any_altered_character_makes_it_no_key(database: Database) -> None:
    key = create(database)
    for at in range(len(key)):
        for other in ("a" if key[at] != "a" else "b", "A", "\x00", "é"):
            assert find(database, key[:at] + other + key[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "calmo_", "Bearer x", "calmo_a_b_c", "\x00", "é" * 90, "calmo_" * 1000])
def test_what_is_no_key_is_refused_without_an_error(database: Database, text: str) -> None:
    assert find(database, text) is None


@pytest.mark.each_database
def test_a_right_id_with_another_keys_secret_is_refused(database: Database) -> None:
    first, second = create(database).split("_"), create(database).split("_")
    checksum = api_keys._checksum(first[1], second[2])
    assert find(database, f"calmo_{first[1]}_{second[2]}_{checksum}") is None


@pytest.mark.each_database
def test_an_unknown_but_well_formed_key_is_refused(database: Database) -> None:
    key = create(database)
    database.write_blocking(lambda c: c.execute(sa.delete(tables.api_keys)))
    assert find(database, key) is None


@pytest.mark.each_database
def test_a_key_ends_at_its_expiry(database: Database) -> None:
    key = create(database)
    change(database, expires_at=NOW + timedelta(hours=1))
    assert find(database, key, NOW + timedelta(minutes=59)) is not None
    assert find(database, key, NOW + timedelta(hours=1)) is None


@pytest.mark.each_database
def test_a_revoked_key_is_refused(database: Database) -> None:
    key = create(database)
    change(database, revoked_at=NOW)
    assert find(database, key) is None
