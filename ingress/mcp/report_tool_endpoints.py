"""The REST endpoint that lists the tools which are endpoints of our own, for MCP over standard input."""

from typing import Any

from starlette.requests import Request

from calmo_pagerduty.access.permissions import TOOLS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.tools.classes import Category
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.models import Model
from ingress.mcp.report_tools import REPORT_TOOLS


class ReportToolModel(Model):
    """A tool for agents, and whether this key may use it."""

    name: str
    title: str
    description: str
    category: Category
    method: str
    path: str
    permission: str
    writes: bool
    #: The JSON schema of the query or body.
    fields: dict[str, Any]
    #: True if a field of the query limits the list to a connection.
    is_limited: bool
    allowed: bool


class ReportToolListModel(Model):
    tools: list[ReportToolModel]


class ReportToolEndpoints:
    """Lists reports and decisions on findings, as agents use them."""

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                "/api/report-tools",
                "List reports and decisions that agents may use as tools",
                Json(ReportToolListModel),
                permission=TOOLS_READ,
                takes=NoInput,
                handler=self.list,
            )
        ]

    async def list(self, _request: Request, principal: Principal, _nothing: NoInput) -> ReportToolListModel:
        """GET /api/report-tools"""
        return ReportToolListModel(
            tools=[
                ReportToolModel.from_row(
                    tool.shape,
                    permission=tool.permission,
                    allowed=tool.permission in principal.permissions,
                )
                for tool in REPORT_TOOLS
            ]
        )
