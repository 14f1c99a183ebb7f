"""The audit is cut in sealed segments: what is left is proved, and that what was cut was whole."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import audit_segment_store as segments, audit_store as audit
from calmo_pagerduty.access.audit_links import GENESIS
from calmo_pagerduty.access.audit_segment_store import AuditIsBroken, seal_segment
from calmo_pagerduty.access.audit_store import Verification
from calmo_pagerduty.db import key_rotation, tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.support.doors import rows

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD, NEW = b"o" * 32, b"n" * 32
KEYS = Keyring({"old": OLD})

pytestmark = pytest.mark.each_database


@pytest.fixture
def chain(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Twelve rows, a day apart, of which ten are cut in segments of four, four and two. Return the hashes."""
    monkeypatch.setattr(segments, "SEGMENT_ROWS", 4)

    def fill(tx: sa.Connection) -> None:
        for age in range(12, 0, -1):
            audit.insert_audit_row(tx, "organization:acme", NOW - age * DAY, {"outcome": "done", "age": age})

    database.write_blocking(fill)
    hashes = [row.hash for row in rows(database, tables.audit)]
    assert [seal(database, NOW - 2.5 * DAY) for _ in range(3)] == [4, 4, 0]
    assert seal(database, NOW - 2.5 * DAY + segments.MAX_WAIT) == 3
    return hashes


def seal(database: Database, older_than: datetime) -> int:
    return database.write_blocking(lambda tx: seal_segment(tx, KEYS, older_than, NOW))


def verify(database: Database, keys: Keyring = KEYS, head: str | None = None) -> Verification:
    return database.read_blocking(lambda tx: audit.verify_chain(tx, keys, head))


def test_what_is_left_follows_the_sealed_segments(database: Database, chain: list[str]) -> None:
    assert verify(database) == Verification(1, chain[-1], None, 11)
    assert seal(database, NOW + DAY) == 0, "the newest row stays"
    database.write_blocking(lambda tx: audit.insert_audit_row(tx, "organization:acme", NOW, {"n": 13}))
    assert verify(database).rows == 2
    for noted in (GENESIS, chain[3], chain[7], chain[10], chain[11]):
        assert verify(database, head=noted).broken is None
    unseen = str(verify(database, head=chain[5]).broken)
    assert unseen.endswith("unless it was of one of the sealed rows 1 to 11")


def test_rows_that_were_altered_are_never_cut(database: Database) -> None:
    for number in range(3):
        database.write_blocking(
            lambda tx: audit.insert_audit_row(tx, "organization:acme", NOW, {"n": number})
        )
    forged = sa.update(tables.audit).where(tables.audit.c.seq == 2).values(record="{}")
    database.write_blocking(lambda tx: tx.execute(forged))
    with pytest.raises(AuditIsBroken, match="row 2: its record was altered"):
        seal(database, NOW + 30 * DAY)
    assert len(rows(database, tables.audit)) == 3


def delete(number: int) -> Callable[[sa.Connection], Any]:
    table = tables.audit_segments
    return lambda tx: tx.execute(sa.delete(table).where(table.c.first_seq == number))


def change(number: int, **values: Any) -> Callable[[sa.Connection], Any]:
    table = tables.audit_segments
    return lambda tx: tx.execute(sa.update(table).where(table.c.first_seq == number).values(**values))


def cut_by_hand(tx: sa.Connection) -> None:
    """Cut the last row, and stretch the segment before it over the gap."""
    last = tx.execute(sa.select(tables.audit)).one()
    tx.execute(sa.delete(tables.audit))
    change(9, last_seq=last.seq, last_hash=last.hash)(tx)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (delete(1), "segment 5: the segment of row 1 is missing"),
        (delete(5), "segment 9: the segment of row 5 is missing"),
        (delete(9), "row 12: row 9 is missing"),
        (change(5, previous_hash="0" * 64), "segment 5: it doesn't follow the segment before it"),
        (change(5, first_at=NOW), "segment 5: its columns don't say what was sealed"),
        (change(9, sealed_at=NOW + DAY), "segment 9: its columns don't say what was sealed"),
        (change(5, sealed=b""), "segment 5: the sealed value was altered or belongs to another row"),
        (cut_by_hand, "segment 9: its columns don't say what was sealed"),
    ],
)
def test_every_edit_of_a_segment_is_found(
    database: Database, chain: list[str], edit: Callable[[sa.Connection], Any], fault: str
) -> None:
    database.write_blocking(edit)
    assert verify(database).broken == fault


def test_segments_go_to_the_new_master_key_and_need_it(database: Database, chain: list[str]) -> None:
    both, new = Keyring({"new": NEW, "old": OLD}), Keyring({"new": NEW})
    assert "old" in str(verify(database, new).broken)
    database.write_blocking(lambda tx: key_rotation.update_sealed_batch(tx, both))
    assert verify(database, new).broken is None
