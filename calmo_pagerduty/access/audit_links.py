"""How a row of the audit chain follows the row before it.

`hash` is SHA-256 in hex of the previous hash, a line break and the record's canonical JSON.
"""

import hashlib
import json
from typing import Any

#: The previous hash of the first row.
GENESIS = "0" * 64


def row_hash(previous: str, record: str) -> str:
    """Return the hash of a row with this record after a row with that hash."""
    return hashlib.sha256(f"{previous}\n{record}".encode()).hexdigest()


def row_fault(row: Any, expected_seq: int, previous: str) -> str | None:
    """Return what is wrong with a row of the table `audit` at this place; None if nothing is."""
    if row.seq != expected_seq:
        return f"row {expected_seq} is missing"
    if row.previous_hash != previous:
        return "it doesn't follow the row before it"
    if row.hash != row_hash(previous, row.record):
        return "its record was altered"
    if _read_record(row.record) != (row.seq, row.scope, row.at.isoformat()):
        return "its columns don't say what its record says"
    return None


def _read_record(text: str) -> tuple[Any, ...] | None:
    """Return the record's own (seq, scope, at); None if the record has another form."""
    try:
        record = json.loads(text)
        return record["seq"], record["scope"], record["at"]
    except (ValueError, LookupError, TypeError):
        return None
