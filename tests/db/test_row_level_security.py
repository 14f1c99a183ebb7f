"""PostgreSQL: a query that forgets whose rows it may see gets none that are foreign."""

import secrets
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from tests.conftest import new_postgresql_database
from tests.support.tenants import OF_A_SCOPE, fill_tenant

SHOP, BANK = "organization:shop", "organization:bank"
#: What is nobody's: operators' own, or not yet known to be anybody's.
NOBODYS = {
    "alembic_version", "api_keys", "audit_segments", "dashboard_sessions", "dead_letters", "key_checks",
    "leases", "people", "request_paces", "request_permits", "saved_views", "schema_floor", "sign_in_flows",
    "sign_in_links",
}  # fmt: skip


def sees(*scopes: str) -> Visibility:
    return Visibility(tuple(Scope.parse(scope) for scope in scopes))


@pytest.fixture(scope="module")
def database(postgresql: str | None) -> Iterator[Database]:
    """A database whose owner is an ordinary role: a superuser would see through every policy."""
    if postgresql is None:
        pytest.skip("no PostgreSQL on this machine")
    url = new_postgresql_database(postgresql)
    role, password = f"r{secrets.token_hex(8)}", secrets.token_hex(8)
    name = sa.make_url(url).database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER PASSWORD '{password}'".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {role}".encode())
        connection.execute(f"ALTER SCHEMA public OWNER TO {role}".encode())
    address = sa.make_url(url).set(username=role, password=password)
    with closing(Database(address.render_as_string(hide_password=False))) as database:
        database.migrate()
        for scope in (SHOP, BANK):
            fill_tenant(database, scope)
        yield database


def count(database: Database, table: str, *seen_by: Visibility) -> int:
    query = sa.select(sa.func.count()).select_from(tables.metadata.tables[table])
    return database.read_blocking(lambda t: t.execute(query).scalar_one(), *seen_by)


@pytest.mark.parametrize("table", OF_A_SCOPE)
def test_a_query_without_a_where_returns_nothing_foreign(database: Database, table: str) -> None:
    everything = count(database, table)
    assert everything >= 2
    assert count(database, table, sees(SHOP)) == everything / 2
    assert count(database, table, sees(SHOP, BANK)) == everything
    assert count(database, table, sees("organization:nobody")) == 0
    assert count(database, table, sees()) == 0


def test_what_one_scope_sees_another_does_not(database: Database) -> None:
    def ids(scope: str) -> set[str]:
        return set(
            database.read_blocking(lambda t: t.execute(sa.select(tables.issues.c.id)).scalars(), sees(scope))
        )

    assert ids(SHOP)
    assert ids(SHOP).isdisjoint(ids(BANK))


def test_the_service_itself_sees_everything_also_after_a_readers_transaction(database: Database) -> None:
    for _ in range(8):
        assert count(database, "issues", sees(SHOP)) == 1
        assert count(database, "issues") == 2


def test_a_reader_cannot_put_a_row_into_a_foreign_scope(database: Database) -> None:
    def write(transaction: sa.Connection) -> None:
        transaction.execute(sa.text("SELECT set_config('calmo.scopes', 'organization:shop', true)"))
        foreign = sa.update(tables.webhooks).where(tables.webhooks.c.scope == BANK).values(name="mine")
        assert transaction.execute(foreign).rowcount == 0

    database.write_blocking(write)


def test_every_table_is_of_a_scope_or_known_to_be_nobodys(database: Database) -> None:
    query = sa.text(
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    secured = dict(database.read_blocking(lambda t: [tuple(row) for row in t.execute(query)]))
    assert {name for name, held in secured.items() if held} == set(OF_A_SCOPE)
    assert set(secured) == set(OF_A_SCOPE) | NOBODYS


def test_the_policies_leave_the_indexes_in_use(database: Database) -> None:
    def plan(transaction: sa.Connection) -> str:
        transaction.execute(sa.text("SET LOCAL enable_seqscan = off"))
        query = "EXPLAIN SELECT * FROM issues WHERE scope = 'organization:shop' ORDER BY created_at LIMIT 5"
        return "\n".join(transaction.execute(sa.text(query)).scalars())

    seen = database.read_blocking(plan, sees(SHOP))
    assert "Index Cond: (scope = 'organization:shop'::text)" in seen
