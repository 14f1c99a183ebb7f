"""The audit: who called which tool, changed which key or switch, and how it ended."""

from collections.abc import Mapping
from typing import Any

from calmo_pagerduty.access.permissions import AUDIT_READ
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.tables import Column, Table
from ingress.tools.models import AuditQuery, AuditRowModel

#: Fields of a record that have a column of their own.
_SHOWN = frozenset({"requester", "tool", "outcome", "decision", "at"})


async def show(ask: Ask) -> Content:
    """GET /dashboard/audit, newest first."""
    query = ask.query(AuditQuery)
    rows = (await ask.ingress.tools.list_audit(ask.request, ask.caller, query)).rows
    return Content(
        {"before": rows[-1].seq if len(rows) == query.limit else None, "is_first": query.before is None},
        {"audit": _table(rows)},
    )


def _table(rows: list[AuditRowModel]) -> Table[AuditRowModel]:
    return Table(
        "Audit",
        (
            Column("When", lambda row: row.at.isoformat(), cell="audit_when"),
            Column("Who", lambda row: str(row.record.get("requester") or "")),
            Column("What", lambda row: str(row.record.get("tool") or "")),
            Column("Outcome", lambda row: str(row.record.get("outcome") or row.record.get("decision") or "")),
            Column("Details", lambda row: _details(row.record)),
            Column("No.", lambda row: str(row.seq), is_figure=True),
        ),
        rows,
        empty="Nothing was called or changed yet.",
    )


def _details(record: Mapping[str, Any]) -> str:
    """Return the other fields in a line, without hashes."""
    parts = (
        f"{name.replace('_', ' ')} {value}"
        for name, value in record.items()
        if name not in _SHOWN
        and not name.endswith("sha256")
        and isinstance(value, (str, int))
        and value != ""
    )
    return " · ".join(parts)


PAGES = (
    Page(
        "/audit",
        "Audit",
        AUDIT_READ,
        show,
        "audit",
        menu="Audit",
        sets_up="Who called, decided and changed what, in a chain of hashes that can be verified.",
    ),
)
