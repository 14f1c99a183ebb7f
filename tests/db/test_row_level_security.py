"""PostgreSQL: a query that forgets whose rows it may see gets none that are foreign."""

import asyncio
import functools
import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from tests.conftest import new_postgresql_database
from tests.support.tenants import OF_A_SCOPE, TENANT_KEYS, fill_tenant

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP, BANK = "organization:shop", "organization:bank"
#: What is nobody's: operators' own, or not yet known to be anybody's.
NOBODYS = {
    "alembic_version", "api_keys", "audit_segments", "dashboard_sessions", "dead_letters", "inbox_journals",
    "key_checks", "leases", "logout_tokens", "people", "request_paces", "request_permits", "saved_views",
    "schema_floor", "sign_in_flows", "sign_in_links",
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


async def test_a_write_in_somebodys_name_changes_nothing_foreign(database: Database) -> None:
    names = sa.update(tables.webhooks).values(name="mine")
    counts = await asyncio.gather(
        *(database.write(lambda t: t.execute(names).rowcount, seen_by=seen) for seen in (sees(SHOP), sees())),
        database.write(lambda t: t.execute(sa.update(tables.issues).values(title="All")).rowcount),
    )
    assert counts == [1, 0, 2], "each sees what is its own, also if they share a transaction"
    foreign = sa.update(tables.webhooks).values(scope=BANK)
    with pytest.raises(StoreUnavailable, match="row-level security"):
        await database.write(lambda t: t.execute(foreign), seen_by=sees(SHOP))


async def test_a_write_in_somebodys_name_goes_on_with_the_audit_chain_of_all(database: Database) -> None:
    for scope in (BANK, SHOP, BANK):
        write = functools.partial(audit.insert_audit_row, scope=scope, at=NOON, record={"outcome": "tried"})
        await database.write(write, seen_by=sees(scope))
    with pytest.raises(StoreUnavailable, match="row-level security"):
        await database.write(lambda t: audit.insert_audit_row(t, BANK, NOON, {}), seen_by=sees(SHOP))
    rows = database.read_blocking(lambda t: audit.list_audit_rows(t, EVERYTHING, 3))
    assert [row.scope for row in rows] == [BANK, SHOP, BANK]
    assert database.read_blocking(lambda t: audit.verify_chain(t, TENANT_KEYS)).broken is None


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
