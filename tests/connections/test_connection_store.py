"""Connections: each seen by its own scope alone, its token sealed, forgotten as soon as it is removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import CannotDecrypt, Keyring
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.doors import rows

NOW = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
ACME, ROBIN = Scope.parse("organization:acme"), Scope.parse("personal:robin")
TOKEN = SecretStr("a-token-that-nobody-may-see-7F3k")
RULES = ConnectionRules(
    switches={"tool:resolve_incident": Switch.ALLOW, "risk:high": Switch.DENY},
    teams={"PTEAM1": {"category:services": Switch.DENY}},
    approve=frozenset({Risk.MEDIUM, Risk.HIGH}),
    approval_hours=1.5,
    writes_per_hour=7,
    tool_writes_per_hour={"create_incident": 2},
)
FACTS = TokenInfo(
    tested_at=NOW, of_a_user=True, role="limited_user", read_only=True,
    abilities=frozenset({"teams", "urgencies"}), scopes=frozenset({"incidents.read"}),
)  # fmt: skip


def add(database: Database, scope: Scope = ACME, name: str = "Shop", **more: Any) -> Connection:
    connection_id = database.write_blocking(
        lambda t: connections.insert_connection(t, name, scope, NOW, **more)
    )
    return get(database, connection_id)


def find(database: Database, connection_id: str, visibility: Visibility = EVERYTHING) -> Connection | None:
    return database.read_blocking(lambda t: connections.get_connection(t, visibility, connection_id))


def get(database: Database, connection_id: str) -> Connection:
    found = find(database, connection_id)
    assert found is not None
    return found


def seal(
    database: Database, keyring: Keyring, connection: Connection, token: SecretStr = TOKEN
) -> Connection:
    database.write_blocking(
        lambda t: connections.update_token(t, keyring, connection, TokenKind.API_TOKEN, token)
    )
    return get(database, connection.id)


def opened(database: Database, keyring: Keyring, connection: Connection) -> str | None:
    token = database.read_blocking(lambda t: connections.get_token(t, keyring, connection))
    return None if token is None else token.get_secret_value()


def change_row(database: Database, connection: Connection, **values: Any) -> None:
    row = tables.connections.c.id == connection.id
    database.write_blocking(lambda t: t.execute(sa.update(tables.connections).where(row).values(**values)))


def raw_row(database: Database, connection: Connection) -> sa.Row[Any]:
    row = tables.connections.c.id == connection.id
    return database.read_blocking(lambda t: t.execute(sa.select(tables.connections).where(row)).one())


@pytest.mark.each_database
def test_a_connection_is_read_as_it_was_made(database: Database) -> None:
    made = add(
        database,
        ROBIN,
        "Shop, Europe",
        region=Region.EU,
        rules=RULES,
        from_address="ada@example.org",
        severities={"sev1": Severity.CRITICAL},
        requests_per_minute=100,
    )
    assert made == Connection(
        id=made.id,
        name="Shop, Europe",
        scope=ROBIN,
        region=Region.EU,
        token_kind=None,
        token_version=0,
        from_address="ada@example.org",
        rules=RULES,
        facts=TokenInfo(),
        severities={"sev1": Severity.CRITICAL},
        requests_per_minute=100,
        created_at=NOW,
    )
    assert isinstance(made.severities["sev1"], Severity)
    assert isinstance(made.region, Region)


@pytest.mark.each_database
def test_a_new_connection_has_the_most_careful_rules_and_no_token(
    database: Database, keyring: Keyring
) -> None:
    made = add(database)
    assert (made.rules, made.region, made.facts) == (ConnectionRules(), Region.US, TokenInfo())
    assert opened(database, keyring, made) is None


def test_each_connection_has_another_id() -> None:
    assert len({connections.new_connection_id() for _ in range(200)}) == 200


@pytest.mark.each_database
def test_a_token_opens_again_and_is_nowhere_to_be_read(database: Database, keyring: Keyring) -> None:
    sealed = seal(database, keyring, add(database))
    assert opened(database, keyring, sealed) == TOKEN.get_secret_value()
    assert (sealed.token_kind, sealed.token_version) == (TokenKind.API_TOKEN, 1)
    plain = TOKEN.get_secret_value()
    for value in raw_row(database, sealed):
        assert plain not in str(value)
        assert not isinstance(value, bytes | memoryview) or plain.encode() not in bytes(value)
    assert plain not in repr(sealed)


def test_a_token_is_not_in_the_databases_files(database: Database, keyring: Keyring, tmp_path: Path) -> None:
    seal(database, keyring, add(database, name="a name that shows"))
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("calmo.db*"))
    assert b"a name that shows" in kept
    assert TOKEN.get_secret_value().encode() not in kept


@pytest.mark.each_database
def test_a_token_copied_to_another_connection_does_not_open(database: Database, keyring: Keyring) -> None:
    first, other = (seal(database, keyring, add(database), SecretStr(token)) for token in ("one", "other"))
    sealed = {connection.id: raw_row(database, connection).token_sealed for connection in (first, other)}
    change_row(database, first, token_sealed=sealed[other.id])
    change_row(database, other, token_sealed=sealed[first.id])
    for connection in (first, other):
        with pytest.raises(CannotDecrypt):
            opened(database, keyring, connection)


@pytest.mark.each_database
def test_a_connection_moved_to_another_scope_does_not_open(database: Database, keyring: Keyring) -> None:
    connection = seal(database, keyring, add(database))
    change_row(database, connection, scope="personal:mallory")
    with pytest.raises(CannotDecrypt):
        opened(database, keyring, get(database, connection.id))


@pytest.mark.each_database
def test_an_older_token_put_back_does_not_open(database: Database, keyring: Keyring) -> None:
    first = seal(database, keyring, add(database))
    old = raw_row(database, first).token_sealed
    second = seal(database, keyring, first, SecretStr("the new one"))
    change_row(database, second, token_sealed=old)
    with pytest.raises(CannotDecrypt):
        opened(database, keyring, second)


@pytest.mark.each_database
def test_another_keyring_does_not_open_it(database: Database, keyring: Keyring) -> None:
    connection = seal(database, keyring, add(database))
    for wrong in (Keyring({"test": bytes(32)}), Keyring({"other": bytes(range(32))})):
        with pytest.raises(CannotDecrypt):
            opened(database, wrong, connection)


@pytest.mark.each_database
def test_after_a_rotation_the_new_token_opens_and_the_old_connection_finds_none(
    database: Database, keyring: Keyring
) -> None:
    first = seal(database, keyring, add(database))
    database.write_blocking(lambda t: connections.update_token_info(t, first, FACTS))
    second = seal(database, keyring, first, SecretStr("the new one"))
    assert (first.token_version, second.token_version) == (1, 2)
    assert opened(database, keyring, second) == "the new one"
    assert opened(database, keyring, first) is None
    assert second.facts == TokenInfo()


@pytest.mark.each_database
def test_two_rotations_from_the_same_reading_have_versions_of_their_own(
    database: Database, keyring: Keyring
) -> None:
    first = seal(database, keyring, add(database))
    second = seal(database, keyring, first, SecretStr("second"))
    third = seal(database, keyring, first, SecretStr("third"))
    assert (second.token_version, third.token_version) == (2, 3)
    assert opened(database, keyring, second) is None
    assert opened(database, keyring, third) == "third"


@pytest.mark.each_database
def test_what_was_found_out_is_kept_unless_the_token_has_changed_meanwhile(
    database: Database, keyring: Keyring
) -> None:
    first = seal(database, keyring, add(database))
    database.write_blocking(lambda t: connections.update_token_info(t, first, FACTS))
    assert get(database, first.id).facts == FACTS
    second = seal(database, keyring, first)
    database.write_blocking(lambda t: connections.update_token_info(t, first, FACTS))
    assert get(database, second.id).facts == TokenInfo()


@pytest.mark.each_database
def test_rules_and_other_columns_change_by_themselves(database: Database, keyring: Keyring) -> None:
    first, other = seal(database, keyring, add(database)), add(database)
    database.write_blocking(lambda t: connections.update_rules(t, first.id, RULES))
    database.write_blocking(
        lambda t: connections.update_connection(t, first.id, name="Till", requests_per_minute=9)
    )
    changed = get(database, first.id)
    assert (changed.rules, changed.name, changed.requests_per_minute) == (RULES, "Till", 9)
    assert opened(database, keyring, changed) == TOKEN.get_secret_value()
    assert get(database, other.id) == other


@pytest.mark.each_database
def test_a_removed_connection_is_gone_and_its_token_with_it(database: Database, keyring: Keyring) -> None:
    connection = seal(database, keyring, add(database, scope=ROBIN))
    database.write_blocking(lambda t: connections.update_token_info(t, connection, FACTS))
    database.write_blocking(lambda t: connections.mark_removed(t, connection.id, NOW))
    assert find(database, connection.id) is None
    assert database.read_blocking(lambda t: connections.list_connections(t, EVERYTHING)) == ()
    assert opened(database, keyring, connection) is None
    row = raw_row(database, connection)
    assert (row.token_sealed, row.token_kind, row.token_facts, row.removed_at) == (None, None, None, NOW)


@pytest.mark.each_database
def test_nothing_comes_back_into_a_connection_that_was_removed_meanwhile(
    database: Database, keyring: Keyring
) -> None:
    connection = add(database)
    database.write_blocking(lambda t: connections.mark_removed(t, connection.id, NOW))
    database.write_blocking(
        lambda t: connections.update_token(t, keyring, connection, TokenKind.OAUTH, TOKEN)
    )
    database.write_blocking(lambda t: connections.mark_removed(t, connection.id, NOW + timedelta(days=1)))
    row = raw_row(database, connection)
    assert (row.token_sealed, row.token_kind, row.removed_at) == (None, None, NOW)


@pytest.mark.each_database
def test_somebody_elses_connection_is_not_there(database: Database) -> None:
    connection = add(database, ACME)
    for stranger in (Visibility(), Visibility((ROBIN,)), Visibility((Scope.parse("personal:acme"),))):
        assert find(database, connection.id, stranger) is None
    for owner in (EVERYTHING, Visibility((ROBIN, ACME))):
        assert find(database, connection.id, owner) == connection
    assert find(database, "con_unknown") is None


@pytest.mark.each_database
def test_a_list_holds_what_its_reader_may_see_by_name(database: Database) -> None:
    till, shop, mine = (
        add(database, name="Till"),
        add(database, name="Shop"),
        add(database, ROBIN, name="Mine"),
    )
    listed = {
        visibility: database.read_blocking(lambda t: connections.list_connections(t, visibility))
        for visibility in (EVERYTHING, Visibility((ACME,)), Visibility((ROBIN,)), Visibility())
    }
    assert list(listed.values()) == [(mine, shop, till), (shop, till), (mine,), ()]
    assert len(rows(database, tables.connections)) == 3
