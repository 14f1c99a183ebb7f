"""Reads PagerDuty's log of an incident, as the incident's newest context gathered it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.db.tables import context_parts
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.pagerduty.webhook_events import Reference


@dataclass(frozen=True, slots=True)
class GatheredLogEntry:
    """A log entry. `kind` is PagerDuty's type without `_log_entry`; `agent` is None for automation.

    `people` are those it concerns: assigned, notified. `text` is PagerDuty's summary, or what a person wrote.
    """

    id: str
    kind: str
    at: datetime
    agent: Reference | None
    people: tuple[Reference, ...]
    text: str


def list_gathered_log_entries(tx: Transaction, issue: Issue) -> tuple[GatheredLogEntry, ...]:
    """Return the entries of the newest version that has any, oldest first. The caller may see the issue."""
    query = (
        sa.select(context_parts.c.data)
        .where(
            context_parts.c.issue_id == issue.ref.issue_id,
            context_parts.c.source == Source.LOG,
            context_parts.c.data.is_not(None),
        )
        .order_by(context_parts.c.version.desc())
        .limit(1)
    )
    data = tx.execute(query).scalar()
    try:
        lines = codec.LINES.from_json(data) if data is not None else ()
    except ValueError:  # another version gathered it
        return ()
    return tuple(
        GatheredLogEntry(line.id, line.kind, line.at, line.agent, line.people, line.text)
        for line in sorted(lines, key=lambda line: (line.at, line.id))
    )
