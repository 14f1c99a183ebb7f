"""Trends: which services' incidents come more often; a service's plots; whether people can bear them."""

from typing import Any

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.figures import dots_figure
from calmo_pagerduty.trends.pictures import capacity_figure, rate_dots, trend_figures
from calmo_pagerduty.trends.texts import (
    BURDEN_COLUMNS,
    CAPACITY_COLUMNS,
    FORECAST_COLUMNS,
    TEAM_COLUMNS,
    TREND_COLUMNS,
    Columns,
)
from ingress.api.errors import ResourceNotFound
from ingress.dashboard.accounts import find_account
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.tables import Column, Table
from ingress.trends.models import CapacityQuery, TrendsQuery

FIGURES = frozenset({"n", "High urgency", "Alerts"})


async def show_trends(ask: Ask) -> Content:
    """GET /dashboard/trends"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    answer = await ask.ingress.trends.trends(account.request, ask.caller, TrendsQuery())
    services = [{**row, "query": account.query_text} for row in answer.metrics["services"]]
    rates = dots_figure("rates", "Incidents per week, most first", "per week", rate_dots(services))
    return account.content(
        {"metrics": answer.metrics, "figures": [rates] if services else []},
        {
            "services": _table("Services", TREND_COLUMNS, services, cell="trend"),
            "forecasts": _table("Forecasts", FORECAST_COLUMNS, _forecasts(services)),
            "teams": _table("Teams", TEAM_COLUMNS, answer.metrics["teams"]),
        },
    )


async def show_service(ask: Ask) -> Content:
    """GET /dashboard/trends/{service}. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    id = str(ask.request.path_params["service"])
    answer = await ask.ingress.trends.trends(account.request, ask.caller, TrendsQuery())
    rows = [row for row in answer.metrics["services"] if row["service_id"] == id]
    if not rows:
        raise ResourceNotFound(f"the snapshot has no service {id[:60]!r}")
    return account.content(
        {
            "metrics": answer.metrics,
            "figures": trend_figures(rows[0]),
        },
        {
            "trend": _table("Trend", TREND_COLUMNS, rows),
            "forecasts": _table("Forecasts", FORECAST_COLUMNS, _forecasts(rows)),
        },
        rows[0]["name"],
    )


async def show_capacity(ask: Ask) -> Content:
    """GET /dashboard/trends/capacity"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    answer = await ask.ingress.trends.capacity(account.request, ask.caller, CapacityQuery())
    metrics = answer.metrics
    figures = [capacity_figure(metrics)] if metrics["policies"] else []
    return account.content(
        {"metrics": metrics, "figures": figures},
        {
            "policies": _table("Escalation policies", CAPACITY_COLUMNS, metrics["policies"]),
            "services": _table("Services", BURDEN_COLUMNS, metrics["services"]),
            "teams": _table("Teams", BURDEN_COLUMNS, metrics["teams"]),
        },
    )


def _forecasts(services: list[JsonObject]) -> list[JsonObject]:
    return [
        {"name": row["name"], **forecast}
        for row in services
        for forecast in row["forecasts"]
        if row["incidents"]
    ]


def _table(caption: str, columns: Columns, rows: list[JsonObject], cell: str | None = None) -> Table[Any]:
    return Table(
        caption,
        tuple(
            Column(heading, text, cell=cell if number == 0 else None, is_figure=heading in FIGURES)
            for number, (heading, text) in enumerate(columns)
        ),
        rows,
        empty="The account's snapshot has none.",
    )


PAGES = (
    Page("/trends", "Trends", FINDINGS_READ, show_trends, "trends", menu="Trends", tab="Trends"),
    Page("/trends/capacity", "Capacity", FINDINGS_READ, show_capacity, "trends", tab="Capacity"),
    Page("/trends/{service}", "Trend of a service", FINDINGS_READ, show_service, "trends"),
)
