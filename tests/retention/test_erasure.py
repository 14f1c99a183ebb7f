"""Erasing: what was asked to be forgotten is nowhere any more, and everything else is as it was."""

import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import audit_store as audit, session_store, store as api_keys
from calmo_pagerduty.access.key_audit_store import OPERATORS
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.retention import erasure_targets_store as targets, pseudonyms
from calmo_pagerduty.retention.erasure_service import carry_out_erasure, count_erasure
from calmo_pagerduty.retention.erasure_targets_store import Erasure
from calmo_pagerduty.retention.pseudonyms import Pseudonym
from calmo_pagerduty.snapshots import store as snapshots
from tests.support.doors import rows
from tests.support.retention import SOME_KEYS
from tests.support.snapshots import ada
from tests.support.tenants import OF_A_SCOPE, fill_tenant

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACME, BANK = "organization:acme", "organization:bank"
#: The chain that proves what was done is cut in time.
KEPT = {"audit", "audit_segments"}


@pytest.fixture
def tenants(database: Database) -> Database:
    for scope in (ACME, BANK):
        fill_tenant(database, scope)
    return database


def everything(database: Database) -> Iterator[tuple[str, str]]:
    """Every row of every table, as a text."""
    for name, table in tables.metadata.tables.items():
        if name in KEPT:
            continue
        for row in rows(database, table):
            values = dict(row._mapping)
            if name == "snapshot_blobs":
                values["data"] = zlib.decompress(values["data"])
            yield name, str(values)


def mentions(database: Database, *texts: str) -> set[str]:
    return {name for name, row in everything(database) for text in texts if text in row}


def counts(database: Database, scope: str) -> dict[str, int]:
    """How many rows there are of a tenant, in the tables where its connection is named."""
    [connection] = database.read_blocking(lambda tx: targets.list_connections(tx, Scope.parse(scope)))
    named = [table for table in tables.metadata.tables.values() if "connection_id" in table.c]
    return {
        table.name: sum(row.connection_id == connection for row in rows(database, table)) for table in named
    }


def the_erasure(database: Database) -> dict[str, object]:
    """The newest audit row, after a look at the chain."""
    assert database.read_blocking(lambda tx: audit.verify_chain(tx, SOME_KEYS)).broken is None
    [row] = database.read_blocking(lambda tx: audit.list_audit_rows(tx, EVERYTHING, 1))
    assert row.scope == OPERATORS
    return dict(row.record)


@pytest.mark.each_database
def test_an_issue_is_gone_and_so_is_what_others_say_of_it(tenants: Database) -> None:
    [issue] = (row for row in rows(tenants, tables.issues) if row.scope == ACME)
    title = "Basket of Robin Smith is slow"

    def write(tx: sa.Connection) -> None:
        tx.execute(sa.update(tables.findings).values(reason=title))
        tx.execute(sa.update(tables.issues).where(tables.issues.c.id == issue.id).values(title=title))
        call = sa.update(tables.tool_calls).where(tables.tool_calls.c.connection_id == issue.connection_id)
        tx.execute(call.values(arguments={"id": issue.incident_id, "note": "Robin called"}))
        document = json.dumps({"incidents": [issue.incident_id], "said": title})
        told = sa.update(tables.analysis_results).where(
            tables.analysis_results.c.connection_id == issue.connection_id
        )
        tx.execute(told.values(document=document))

    tenants.write_blocking(write)
    others = counts(tenants, BANK)
    [found] = tenants.read_blocking(lambda tx: targets.find_issues(tx, issue.incident_id))
    erasure = Erasure("issue", targets.issue_targets(found), found.texts, (issue.connection_id,))
    foreseen = count_erasure(tenants, erasure)
    assert {"issues", "timeline", "deliveries", "delivery_bodies", "tool_calls", "analysis_results"} <= set(
        foreseen
    )
    assert mentions(tenants, issue.incident_id), "counting changes nothing"
    erased = carry_out_erasure(tenants, erasure, NOW)
    assert mentions(tenants, issue.incident_id, issue.id, "Robin called") == set()
    reasons = {row.connection_id == issue.connection_id: row.reason for row in rows(tenants, tables.findings)}
    assert (title in reasons[True], reasons[False]) == (False, title), "another tenant keeps its own texts"
    assert counts(tenants, BANK) == others
    assert carry_out_erasure(tenants, erasure, NOW) == {}
    record = the_erasure(tenants)
    assert (record["outcome"], record["rows"]) == ("issue erased", 0)
    assert issue.incident_id not in str(audit_rows(tenants))
    assert sum(erased.values()) in {row["rows"] for row in audit_rows(tenants) if "rows" in row}


def audit_rows(database: Database) -> list[dict[str, object]]:
    return [
        dict(row.record)
        for row in database.read_blocking(lambda tx: audit.list_audit_rows(tx, EVERYTHING, 99))
    ]


@pytest.mark.each_database
def test_a_person_has_a_pseudonym_everywhere_and_snapshots_stay_readable(
    tenants: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudonyms, "MIN_LENGTH", 2)  # the ids of small accounts are short
    user = ada()
    name = "Zoë Müller-Ada"

    def write(tx: sa.Connection) -> None:
        tx.execute(
            sa.update(tables.timeline).values(
                summary=f"Acknowledged by {name}", actor={"id": user.id, "summary": name}
            )
        )
        tx.execute(sa.update(tables.issues).values(assignees=[{"id": user.id, "name": name}]))
        tx.execute(sa.update(tables.absence_calendars).values(user_id=user.id))
        made = api_keys.insert_key(tx, f"key of {name}", ["issues:read"], None, NOW, person=user.id)
        session_store.insert_link(tx, api_keys.parse_key_id(made), NOW)

    tenants.write_blocking(write)
    assert "snapshot_blobs" in mentions(tenants, user.id)
    rows_of = tenants.read_blocking(lambda tx: targets.person_targets(tx, user.id))
    erasure = Erasure("person", rows_of, (user.id, name, user.name))
    assert set(count_erasure(tenants, erasure)) >= {
        "timeline",
        "issues",
        "absence_calendars",
        "snapshot_blobs",
    }
    carry_out_erasure(tenants, erasure, NOW)
    assert mentions(tenants, user.id, name, json.dumps(name)[1:-1], user.name) == set()
    assert rows(tenants, tables.absence_calendars) == rows(tenants, tables.sign_in_links) == []
    [key] = rows(tenants, tables.api_keys)
    assert key.revoked_at is not None
    assert key.person.startswith("erased-")
    assert {row.summary for row in rows(tenants, tables.timeline)} != {f"Acknowledged by {name}"}
    kept = [row.id for row in rows(tenants, tables.account_snapshots)]
    assert all(tenants.read_blocking(partial(snapshots.list_parts, snapshot_id=id_)) for id_ in kept)
    assert the_erasure(tenants)["outcome"] == "person erased"


def a_key_with_a_link(tx: sa.Connection, scope: Scope) -> None:
    made = api_keys.insert_key(tx, "key", ["issues:read"], [scope], NOW)
    session_store.insert_link(tx, api_keys.parse_key_id(made), NOW)


@pytest.mark.each_database
def test_a_tenant_leaves_no_row_and_the_others_keep_theirs(tenants: Database) -> None:
    others = counts(tenants, BANK)
    for scope in (ACME, BANK):
        tenants.write_blocking(partial(a_key_with_a_link, scope=Scope.parse(scope)))
    before = {name: len(rows(tenants, tables.metadata.tables[name])) for name in OF_A_SCOPE}
    rows_of = tenants.read_blocking(lambda tx: targets.organization_targets(tx, Scope.parse(ACME)))
    carry_out_erasure(tenants, Erasure("organization", rows_of), NOW)
    left = {name: len(rows(tenants, tables.metadata.tables[name])) for name in OF_A_SCOPE}
    assert {name: count for name, count in left.items() if name not in KEPT} == {
        name: count // 2 for name, count in before.items() if name not in KEPT
    }
    assert left["audit"] == before["audit"] + 1, "the erasure itself"
    assert counts(tenants, BANK) == others
    assert [key.scopes for key in rows(tenants, tables.api_keys)] == [[BANK]]
    assert len(rows(tenants, tables.sign_in_links)) == 1
    assert "acme" not in str(the_erasure(tenants))


def test_only_whole_words_get_the_pseudonym_whatever_their_case() -> None:
    pseudonym = Pseudonym(["Zoë", "Zoë Müller", "P123ABC"], "erased-1")
    assert pseudonym.replace("zoë müller and P123ABC, not P123ABCD") == "erased-1 and erased-1, not P123ABCD"
    assert pseudonym.replace({"P123ABC": ["by Zoë Müller", 7, None]}) == {
        "erased-1": ["by erased-1", 7, None]
    }
    assert pseudonym.replace(json.dumps("Zoë Müller")) == '"erased-1"'
    assert pseudonym.texts == ("Zoë Müller", "P123ABC"), "a short text would be found everywhere"
    assert not Pseudonym(["Zoë"], "erased-1").needles
