"""Performance: how fast services, teams or policies answer and resolve, beside the time before."""

from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.performance.pictures import group_figures, performance_figure
from calmo_pagerduty.performance.report import Grouping
from calmo_pagerduty.performance.speed import Milestone
from calmo_pagerduty.performance.texts import TABLES, Columns
from calmo_pagerduty.snapshots.model import Urgency
from ingress.dashboard.accounts import find_account
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.tables import Column, Table
from ingress.performance.models import PerformanceQuery

FIGURES = frozenset({"Incidents", "Before", "Interruptions", "In sleep hours", "Escalations"})
MAX_DAYS = 183


async def show(ask: Ask) -> Content:
    """GET /dashboard/trends/performance, with `by`, `urgency`, `days` and `service` of its form."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    given = ask.request.query_params
    by = given.get("by") if given.get("by") in set(Grouping) else Grouping.SERVICE
    urgency = given.get("urgency") if given.get("urgency") in set(Urgency) else None
    days = _days(given.get("days"))
    until = datetime.fromtimestamp(account.snapshot.taken_at, UTC)
    values = {
        "by": by,
        "urgency": urgency,
        "service": given.get("service") or None,
        "since": until - timedelta(days=days),
        "until": until,
    }
    query = PerformanceQuery.model_validate(values)
    answer = await ask.ingress.performance.performance(account.request, ask.caller, query)
    groups = answer.metrics["groups"]
    figures = [performance_figure(answer.metrics, milestone) for milestone in Milestone] if groups else []
    if len(groups) == 1:
        figures = group_figures(groups[0])
    names = {service.id: service.name for service in account.snapshot.services}
    return account.content(
        {
            "metrics": answer.metrics,
            "figures": figures,
            "groupings": list(Grouping),
            "urgencies": list(Urgency),
            "services": sorted(names.items(), key=lambda item: item[1].casefold()),
            "chosen": {**values, "days": days},
        },
        {name: _table(title, columns, groups) for name, (title, columns) in TABLES.items()},
    )


def _table(caption: str, columns: Columns, rows: list[JsonObject]) -> Table[Any]:
    return Table(
        caption,
        tuple(Column(heading, text, is_figure=heading in FIGURES) for heading, text in columns),
        rows,
        empty="There was no incident in this time, nor in the one before.",
    )


def _days(text: str | None) -> int:
    """Return the length of the window in days: what the form says, within what is allowed."""
    return min(max(int(text), 1), MAX_DAYS) if text and text.isascii() and text.isdigit() else 28


PAGES = (Page("/trends/performance", "Performance", FINDINGS_READ, show, "performance", tab="Performance"),)
