"""The map of services: what depends on what, what is open, what is fragile, and what nobody declared."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.dependencies.documents import (
    critical_document,
    proposals_document,
    services_text,
    single_points_document,
)
from calmo_pagerduty.dependencies.text_forms import MapRow, map_rows
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.dependency_model import ServiceKind
from ingress.api.models import Word
from ingress.dashboard.accounts import find_account
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.proposals import proposals
from ingress.dashboard.tables import Column, Table
from ingress.dependencies.models import MapPictureQuery, ReportQuery


class MapPageQuery(MapPictureQuery):
    """The map's filters. An empty field of the form is as good as none."""

    connection: Word | None = Field(None, description="The account. Default: the first.")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_fields(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: value for name, value in values.items() if value not in ("", [""])}


async def show_map(ask: Ask) -> Content:
    """GET /dashboard/services/map, with the filters of GET /api/connections/{id}/dependencies/map.svg."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    query = ask.query(MapPageQuery)
    shown = await ask.ingress.dependencies.shown_map(account.request, ask.caller, query)
    _, report = await ask.ingress.dependencies.report(account.request, ask.caller, ReportQuery())
    figure = await asyncio.to_thread(shown.figure)
    undeclared = proposals_document(report)["proposals"]
    drafts = {
        str(number): ("add_service_dependency", _arguments(row)) for number, row in enumerate(undeclared)
    }
    return account.content(
        {
            "query_": query,
            "figures": [figure],
            "map": shown.map,
            "cycles": [", ".join(shown.map.names[key] for key in circle) for circle in shown.map.cycles],
            "alone": [shown.map.names[key] for key in shown.map.without_dependencies],
            "is_live": shown.incidents_from == "issues",
            "undeclared": undeclared,
            "proposals": await proposals(ask, account.connection or "", drafts),
        },
        {
            "services": service_table(map_rows(shown.map)),
            "points": point_table(single_points_document(report)["single_points"]),
            "impacts": impact_table(critical_document(report)["business_services"]),
            "proposals": proposal_table(undeclared),
        },
    )


def service_table(rows: list[MapRow]) -> Table[MapRow]:
    """Return what the picture shows, and the services that it leaves out."""
    return Table(
        "Services of the map",
        (
            Column("Service", lambda row: row.node.service.name, cell="map_service"),
            Column("Kind", _kind),
            Column("Open", lambda row: str(len(row.node.incidents) or ""), is_figure=True),
            Column("Worst", lambda row: row.node.worst or ""),
            Column("Failed below", lambda row: str(row.node.failed_below or ""), is_figure=True),
            Column("Depends on", lambda row: services_text(row.depends_on)),
            Column("Supports", lambda row: services_text(row.supports), is_wide_only=True),
        ),
        rows,
        empty="No service matches.",
    )


def _kind(row: MapRow) -> str:
    return "business" if row.node.service.key.kind is ServiceKind.BUSINESS else "technical"


def point_table(points: list[JsonObject]) -> Table[JsonObject]:
    """Return the single points of failure, those with most hours first."""
    return Table(
        "Single points of failure",
        (
            Column("Service", lambda row: row["service"]["name"]),
            Column("Of", lambda row: row["business_service"]["name"]),
            Column("Hours in 90 days", lambda row: f"{row['hours']:g}", is_figure=True),
            Column("Alone before", lambda row: services_text([item["name"] for item in row["behind"]])),
            Column("Kind", lambda row: "all depend on it" if row["is_common_ground"] else "gate"),
        ),
        points,
        empty="No service alone stands between a business service and others.",
    )


def impact_table(services: list[JsonObject]) -> Table[JsonObject]:
    """Return what business services lost, and which repair would gain most."""
    return Table(
        "Business services in the past 90 days",
        (
            Column("Business service", lambda row: row["service"]["name"]),
            Column("Impacted hours", lambda row: f"{row['impacted_hours']:g}", is_figure=True),
            Column("Available", lambda row: f"{row['availability']:.3%}", is_figure=True),
            Column(
                "Critical chain", lambda row: " → ".join(item["service"]["name"] for item in row["chain"])
            ),
            Column("Best repair", _best_repair),
        ),
        services,
        empty="The account has no business service.",
    )


def _best_repair(row: JsonObject) -> str:
    if not row["gains"]:
        return ""
    best = row["gains"][0]
    return f"{best['service']['name']} at 99.95 % would gain {best['points']:.3g} points"


def _arguments(proposal: JsonObject) -> JsonObject:
    """Return the arguments of the tool that declares the dependency at PagerDuty."""
    ends = ("supporting", "dependent")
    ids = {f"{end}_service_id": proposal[end]["id"] for end in ends}
    return ids | {f"{end}_kind": proposal[end]["kind"].removesuffix("_service") for end in ends}


def proposal_table(rows: list[JsonObject]) -> Table[JsonObject]:
    """Return dependencies that nobody declared, with their proof."""
    return Table(
        "Undeclared dependencies",
        (
            Column("Service", lambda row: row["dependent"]["name"]),
            Column("Seems to depend on", lambda row: row["supporting"]["name"]),
            Column("Began together", lambda row: str(row["together"]), is_figure=True),
            Column("By chance", lambda row: f"{row['expected']:g}", is_figure=True),
            Column("p", lambda row: f"{row['p']:.2g}", is_figure=True),
            Column(
                "Incidents", lambda row: services_text([" + ".join(pair) for pair in row["incidents"]], 3)
            ),
        ),
        rows,
        empty="No services begin to fail together more often than by chance.",
    )


PAGES = (Page("/services/map", "Map of services", FINDINGS_READ, show_map, "service_map", tab="Map"),)
