"""Rows of the audit are signed: nobody can rewrite them who holds the database without its master key."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.audit_links import GENESIS
from calmo_pagerduty.access.audit_segment_store import SEGMENT_ROWS, AuditIsBroken, seal_segment
from calmo_pagerduty.access.audit_store import Verification
from calmo_pagerduty.db import key_rotation, tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import CannotDecrypt, KeyProblem, Keyring
from tests.support.doors import rows

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS = Keyring({"old": b"o" * 32})
BOTH = Keyring({"new": b"n" * 32, "old": b"o" * 32})
NEW = Keyring({"new": b"n" * 32})

pytestmark = pytest.mark.each_database


def append(database: Database, keys: Keyring | None, *ages: int) -> None:
    """Append rows that are so many days old, signed or not."""

    def work(tx: sa.Connection) -> None:
        options = {} if keys is None else {"audit_keys": keys.audit_keys}
        tx.execution_options(**{"audit_keys": None, **options})
        for age in ages:
            audit.insert_audit_row(tx, "organization:acme", NOW - age * DAY, {"age": age})

    database.write_blocking(work)


def verify(database: Database, keys: Keyring = KEYS) -> Verification:
    return database.read_blocking(lambda tx: audit.verify_chain(tx, keys))


def rewrite(database: Database, first: int, last: int = 2**31, at: datetime | None = None) -> None:
    """Rewrite rows, and whatever follows from them, as everybody can who knows the code and has no key."""

    def work(tx: sa.Connection) -> None:
        previous = GENESIS
        for row in tx.execute(sa.select(tables.audit).order_by(tables.audit.c.seq)).all():
            values: dict[str, Any] = {"previous_hash": previous, "record": row.record, "at": row.at}
            if first <= row.seq <= last:
                record = {**json.loads(row.record), "forged": True}
                if at is not None:
                    values["at"], record["at"] = at, at.isoformat()
                values |= {"record": json.dumps(record, sort_keys=True), "signature": None}
            values["hash"] = hashlib.sha256(f"{previous}\n{values['record']}".encode()).hexdigest()
            tx.execute(sa.update(tables.audit).where(tables.audit.c.seq == row.seq).values(**values))
            previous = values["hash"]

    database.write_blocking(work)


def test_rows_from_before_signatures_are_whole_and_told_apart(database: Database) -> None:
    append(database, None, 9, 8)
    assert verify(database).signed_rows == 0
    append(database, KEYS, 3, 2, 1)
    found = verify(database)
    assert (found.broken, found.rows, found.signed_rows, found.signed_from) == (None, 5, 3, 3)


@pytest.mark.parametrize("first", [1, 2, 3, 5])
def test_who_rewrites_rows_and_their_hashes_without_the_key_is_found(database: Database, first: int) -> None:
    """Row 1 is not signed itself: the signature of row 3 vouches for it."""
    append(database, None, 9, 8)
    append(database, KEYS, 7, 5, 1)
    rewrite(database, first, first)
    assert (
        verify(database).broken
        == {
            1: "row 3: its signature is not one of ours",
            2: "row 3: its signature is not one of ours",
            3: "row 4: its signature is not one of ours",
            5: "row 5: its signature is missing",
        }[first]
    )


def test_signatures_can_not_be_left_out_from_some_row_on(database: Database) -> None:
    append(database, KEYS, 9, 5, 1)
    rewrite(database, 3)
    assert verify(database).broken == "row 3: its signature is missing"
    rewrite(database, 3, at=NOW - 9 * DAY)
    assert verify(database).broken == "row 3: its signature is missing", "an earlier time doesn't help"


def test_a_process_of_the_version_before_may_append_while_others_are_upgraded(database: Database) -> None:
    append(database, None, 9)
    append(database, KEYS, 8)
    append(database, None, 8)
    append(database, KEYS, 8, 1)
    assert verify(database).broken is None
    append(database, None, 0)
    assert verify(database).broken == "row 6: its signature is missing"


def test_what_is_not_signed_right_is_not_cut_either_and_what_was_cut_still_asks_for_signatures(
    database: Database,
) -> None:
    append(database, KEYS, 30, 29, 20, 5)
    assert database.write_blocking(lambda tx: seal_segment(tx, KEYS, NOW - 10 * DAY, NOW)) == 3
    assert verify(database) == Verification(1, verify(database).head, None, 3, 1, 4)
    append(database, None, 4)
    assert verify(database).broken == "row 5: its signature is missing"
    append(database, None, *[3] * SEGMENT_ROWS)
    with pytest.raises(AuditIsBroken, match="row 5: its signature is missing"):
        database.write_blocking(lambda tx: seal_segment(tx, KEYS, NOW, NOW))
    unsigned = sa.update(tables.audit_segments).values(signed_since=None)
    database.write_blocking(lambda tx: tx.execute(unsigned))
    assert verify(database).broken == "segment 1: its columns don't say what was sealed"


def test_signatures_go_to_the_new_master_key_and_their_rows_stay(database: Database) -> None:
    database.write_blocking(KEYS.check)
    append(database, None, 9)
    append(database, KEYS, 8, 7)
    head = verify(database).head
    database.write_blocking(BOTH.check)
    assert database.read_blocking(key_rotation.count_values_by_key) == {"new": 0, "old": 2}
    assert str(verify(database, NEW).broken).startswith("row 2: it is signed with a key that is not")
    with pytest.raises(KeyProblem, match="'old' is missing, which the audit is signed with"):
        database.write_blocking(NEW.check)
    with pytest.raises(CannotDecrypt, match="row 2 of the audit"):
        database.write_blocking(lambda tx: key_rotation.update_sealed_batch(tx, NEW))
    assert database.write_blocking(lambda tx: key_rotation.update_sealed_batch(tx, BOTH)) == 2
    assert database.write_blocking(lambda tx: key_rotation.update_sealed_batch(tx, BOTH)) == 0
    assert database.write_blocking(lambda tx: key_rotation.delete_unused_keys(tx, BOTH)) == ("old",)
    database.write_blocking(NEW.check)
    assert verify(database, NEW) == Verification(3, head, None, 0, 2, 2)


def test_a_rotation_does_not_mend_what_was_forged(database: Database) -> None:
    append(database, KEYS, 9, 8, 7)
    rewrite(database, 1, 1)
    assert database.write_blocking(lambda tx: key_rotation.update_sealed_batch(tx, BOTH)) == 2
    assert database.write_blocking(lambda tx: key_rotation.update_sealed_batch(tx, BOTH)) == 0
    assert verify(database, NEW).broken == "row 2: its signature is not one of ours"


async def test_whatever_way_a_row_is_appended_the_databases_keys_sign_it(database: Database) -> None:
    database.sign_audit_with(KEYS.audit_keys)

    def work(tx: sa.Connection) -> None:
        audit.insert_audit_row(tx, "organization:acme", NOW, {})

    database.write_blocking(work)
    await database.write(work)
    await database.write(work, durable=False)
    assert verify(database).signed_rows == len(rows(database, tables.audit)) == 3
