"""The audit: one unbroken chain, in which no row can be changed, taken out or put in unnoticed."""

import hashlib
import json
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.audit_links import GENESIS
from calmo_pagerduty.access.audit_store import Verification
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.audit_signatures import AuditKeys
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from tests.support.chance import repeatable
from tests.support.doors import rows
from tests.support.retention import SOME_KEYS

NOW = datetime(2026, 6, 1, 12, 0, 0, 1, tzinfo=UTC)
SCOPES = ("organization:acme", "personal:robin")
LENGTH = 12
TABLE = tables.audit

Row = dict[str, Any]


def append(database: Database, number: int, scope: str = SCOPES[0]) -> None:
    record = {"tool": "add_incident_note", "outcome": "done", "number": number}
    database.write_blocking(
        lambda t: audit.insert_audit_row(t, scope, NOW + timedelta(seconds=number), record)
    )


@pytest.fixture
def database(database: Database) -> Database:
    """A database whose rows of the audit are signed."""
    database.sign_audit_with(SOME_KEYS.audit_keys)
    return database


def verify(database: Database, head: str | None = None) -> Verification:
    return database.read_blocking(lambda t: audit.verify_chain(t, SOME_KEYS, head))


@pytest.fixture
def chain(database: Database) -> list[Row]:
    """A chain of rows, in two scopes by turns."""

    def fill(transaction: sa.Connection) -> None:
        for number in range(1, LENGTH + 1):
            moment = NOW + timedelta(seconds=number)
            audit.insert_audit_row(
                transaction, SCOPES[number % 2], moment, {"tool": "add_incident_note", "n": number}
            )

    database.write_blocking(fill)
    return kept(database)


def kept(database: Database) -> list[Row]:
    return [dict(row._mapping) for row in rows(database, TABLE)]


def replace_all(database: Database, forged: list[Row]) -> None:
    def write(transaction: sa.Connection) -> None:
        transaction.execute(sa.delete(TABLE))
        if forged:
            transaction.execute(TABLE.insert(), forged)

    database.write_blocking(write)


def hashed(previous: str, record: str) -> str:
    """Computed as anybody would who can read the documentation."""
    return hashlib.sha256(f"{previous}\n{record}".encode()).hexdigest()


@pytest.mark.each_database
def test_an_empty_audit_is_whole(database: Database) -> None:
    assert verify(database) == verify(database, GENESIS) == Verification(0, GENESIS)


@pytest.mark.each_database
def test_a_chain_is_whole_and_tells_its_head(database: Database, chain: list[Row]) -> None:
    assert verify(database) == Verification(LENGTH, chain[-1]["hash"], None, 0, LENGTH, 1)
    assert [row["seq"] for row in chain] == list(range(1, LENGTH + 1))
    previous = GENESIS
    for row in chain:
        assert row["previous_hash"] == previous
        previous = hashed(previous, row["record"])
        assert row["hash"] == previous


def test_a_chain_longer_than_one_reading_is_walked_whole(database: Database) -> None:
    def fill(transaction: sa.Connection) -> None:
        for number in range(2_300):
            audit.insert_audit_row(transaction, SCOPES[0], NOW, {"n": number})

    database.write_blocking(fill)
    assert verify(database).rows == 2_300
    database.write_blocking(lambda t: t.execute(sa.delete(TABLE).where(TABLE.c.seq == 2_001)))
    assert verify(database).broken == "row 2002: row 2001 is missing"


@pytest.mark.each_database
def test_whatever_a_record_says_and_whatever_its_zone_the_chain_holds(database: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-8)))
    record = {
        "seq": 99,
        "at": "yesterday",
        "scope": "personal:mallory",
        "text": "é\n\ud800\x00",
        "none": None,
    }
    database.write_blocking(lambda t: audit.insert_audit_row(t, SCOPES[0], there, record))
    append(database, 2)
    assert verify(database).broken is None
    row = database.read_blocking(lambda t: audit.list_audit_rows(t, EVERYTHING, 10))[-1]
    assert (row.seq, row.at, row.scope) == (1, NOW, SCOPES[0])
    assert {**record, "seq": 1, "at": NOW.isoformat(), "scope": SCOPES[0]} == row.record


def alter_record(forged: list[Row], k: int, chance: random.Random) -> int:
    text = forged[k]["record"]
    at = chance.randrange(len(text))
    forged[k]["record"] = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
    return k


def alter_hash(forged: list[Row], k: int, chance: random.Random) -> int:
    column = chance.choice(["hash", "previous_hash"])
    forged[k][column] = forged[chance.choice([n for n in range(LENGTH) if n != k])][column]
    return k


def alter_moment(forged: list[Row], k: int, chance: random.Random) -> int:
    forged[k]["at"] += timedelta(microseconds=chance.choice([-1, 1, 10**9]))
    return k


def alter_scope(forged: list[Row], k: int, chance: random.Random) -> int:
    forged[k]["scope"] = chance.choice(["personal:mallory", "", f"{forged[k]['scope']} "])
    return k


def alter_number(forged: list[Row], k: int, chance: random.Random) -> int:
    """In the middle: at the end it is the same as cutting the row off, or a row beyond a gap."""
    forged[k]["seq"] = chance.choice([0, -1, LENGTH + 1, LENGTH + 1000])
    return 0 if forged[k]["seq"] < 1 else k


def delete(forged: list[Row], k: int, chance: random.Random) -> int:
    del forged[min(k, LENGTH - 2)]
    return min(k, LENGTH - 2)


def swap(forged: list[Row], k: int, chance: random.Random) -> int:
    """Two rows change their places, numbers and all."""
    other = chance.choice([n for n in range(LENGTH) if n != k])
    for column in chance.choice(
        [("record",), ("hash",), ("record", "hash"), ("record", "previous_hash", "hash", "signature")]
    ):
        forged[k][column], forged[other][column] = forged[other][column], forged[k][column]
    return min(k, other)


def insert(forged: list[Row], k: int, chance: random.Random) -> int:
    """A forged row that fits its predecessor in all but its signature; those behind it are numbered anew."""
    previous = forged[k]["previous_hash"]
    text = json.dumps(
        {"seq": k + 1, "at": NOW.isoformat(), "scope": SCOPES[0], "tool": "forged"}, sort_keys=True
    )
    row = {"seq": k + 1, "at": NOW, "scope": SCOPES[0], "record": text}
    for later in forged[k:]:
        later["seq"] += 1
    signature = forged[k]["signature"]
    forged.insert(
        k, {**row, "previous_hash": previous, "hash": hashed(previous, text), "signature": signature}
    )
    return k


def rewrite(forged: list[Row], k: int, chance: random.Random) -> int:
    """A record is altered, and its hash and those of all rows after it made anew, as anybody can."""
    forged[k]["record"] = forged[k]["record"].replace("add_incident_note", "get_incident")
    previous = forged[k]["previous_hash"]
    for row in forged[k:]:
        row["previous_hash"] = previous
        previous = row["hash"] = hashed(previous, row["record"])
    return k


def alter_signature(forged: list[Row], k: int, chance: random.Random) -> int:
    other = forged[chance.choice([n for n in range(LENGTH) if n != k])]["signature"]
    anothers_key = AuditKeys({"k1": b"other" * 8}).sign(forged[k]["seq"], forged[k]["hash"])
    unknown_key = AuditKeys({"k2": b"other" * 8}).sign(forged[k]["seq"], forged[k]["hash"])
    forged[k]["signature"] = chance.choice([other, anothers_key, unknown_key, "", "v1:k1:", "é"])
    return k


Edit = Callable[[list[Row], int, random.Random], int]
EDITS: list[Edit] = [
    alter_record, alter_hash, alter_moment, alter_scope, alter_number, delete, swap, insert, rewrite,
    alter_signature,
]  # fmt: skip


@pytest.mark.each_database
@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_is_found_and_the_first_broken_row_is_named(
    database: Database, chain: list[Row], edit: Edit
) -> None:
    for seed in range(12):
        chance = repeatable(f"{edit.__name__} {seed}")
        forged = [dict(row) for row in chain]
        broken = edit(forged, chance.randrange(LENGTH if edit is not alter_number else LENGTH - 1), chance)
        replace_all(database, forged)
        found = verify(database)
        assert found.broken is not None, (edit.__name__, seed)
        assert re.search(rf"\brow {broken + 1}\b", found.broken), (edit.__name__, seed, found)
    replace_all(database, chain)
    assert verify(database, chain[-1]["hash"]).broken is None


@pytest.mark.each_database
def test_a_tail_that_is_cut_off_shows_by_a_noted_head_only(database: Database, chain: list[Row]) -> None:
    for left in (LENGTH - 1, LENGTH // 2, 0):
        replace_all(database, chain[:left])
        assert verify(database).broken is None
        assert verify(database, chain[-1]["hash"]).broken == "the noted head is no longer in the chain"
        assert verify(database, chain[left - 1]["hash"] if left else GENESIS).broken is None


@pytest.mark.each_database
def test_a_head_noted_earlier_is_still_in_a_longer_chain(database: Database, chain: list[Row]) -> None:
    append(database, LENGTH + 1)
    for row in chain:
        assert verify(database, row["hash"]).broken is None


@pytest.mark.each_database
@pytest.mark.parametrize("seq", [0, -7])
def test_a_row_forged_before_the_first_is_found(database: Database, chain: list[Row], seq: int) -> None:
    text = json.dumps({"seq": seq, "at": NOW.isoformat(), "scope": SCOPES[0]})
    forged = {"seq": seq, "at": NOW, "scope": SCOPES[0], "record": text, "previous_hash": GENESIS}
    replace_all(database, [{**forged, "hash": hashed(GENESIS, text), "signature": None}, *chain])
    assert str(verify(database).broken).startswith(f"row {seq}: ")


@pytest.mark.each_database
@pytest.mark.parametrize("text", ["", "nonsense", "{}", "[]", "null", '{"seq": 13}'])
def test_a_row_that_is_none_of_ours_is_named_though_its_hash_is_right(
    database: Database, chain: list[Row], text: str
) -> None:
    last = chain[-1]["hash"]
    forged = {"seq": LENGTH + 1, "at": NOW, "scope": SCOPES[0], "record": text, "previous_hash": last}
    replace_all(database, [*chain, {**forged, "hash": hashed(last, text), "signature": None}])
    found = verify(database)
    assert found == Verification(
        LENGTH + 1, last, f"row {LENGTH + 1}: its columns don't say what its record says", 0, LENGTH, 1
    )


@pytest.mark.each_database
def test_a_list_holds_what_its_reader_may_see_newest_first(database: Database, chain: list[Row]) -> None:
    def listed(visibility: Visibility, limit: int = 100, before: int | None = None) -> list[int]:
        found = database.read_blocking(lambda t: audit.list_audit_rows(t, visibility, limit, before))
        return [row.seq for row in found]

    acme, robin = (Visibility((Scope.parse(scope),)) for scope in SCOPES)
    assert listed(EVERYTHING) == list(range(LENGTH, 0, -1))
    assert listed(acme) == list(range(LENGTH, 0, -2))
    assert listed(robin) == list(range(LENGTH - 1, 0, -2))
    assert listed(Visibility()) == listed(Visibility((Scope.parse("personal:kim"),))) == []
    assert listed(EVERYTHING, 3) == [12, 11, 10]
    assert listed(EVERYTHING, 3, before=10) == [9, 8, 7]
    assert listed(acme, 2, before=10) == [8, 6]
    assert listed(EVERYTHING, 3, before=1) == []


@pytest.mark.each_database
def test_two_processes_that_append_at_once_keep_one_chain(database: Database, migrated_url: str) -> None:
    second = Database(migrated_url)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: append((database, second)[n % 2], n), range(60)))
    finally:
        second.close()
    assert verify(database).rows == 60
    assert verify(database).broken is None
    assert sorted(json.loads(row["record"])["number"] for row in kept(database)) == list(range(60))


@pytest.mark.each_database
def test_rows_that_are_appended_together_are_the_chain_that_they_would_be_one_by_one(
    database: Database, chain: list[Row]
) -> None:
    records = [{"tool": "add_incident_note", "n": number} for number in range(1, LENGTH + 1)]
    new = [
        audit.NewAuditRow(row["scope"], row["at"], record) for row, record in zip(chain, records, strict=True)
    ]
    replace_all(database, chain[:3])
    database.write_blocking(lambda t: audit.insert_audit_rows(t, new[3:7]))
    database.write_blocking(lambda t: audit.insert_audit_rows(t, new[7:]))
    assert kept(database) == chain


@pytest.mark.each_database
def test_a_record_that_is_not_committed_is_not_in_the_chain(database: Database, chain: list[Row]) -> None:
    class Changed(Exception):
        pass

    def fail(transaction: sa.Connection) -> None:
        audit.insert_audit_row(transaction, SCOPES[0], NOW, {"n": 0})
        raise Changed

    with pytest.raises(Changed):
        database.write_blocking(fail)
    append(database, 1)
    assert verify(database).rows == LENGTH + 1
    assert verify(database).broken is None
