"""Calls the REST API's own endpoints for agents, in this process."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.store import Principal
from ingress.api.endpoints import Endpoint, EndpointRow
from ingress.mcp.report_tools import REPORT_TOOLS, ReportCall


@dataclass(frozen=True, slots=True)
class ReportEndpoints:
    """The endpoints that `REPORT_TOOLS` names, by method and path."""

    by_route: Mapping[str, Endpoint[Any, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[EndpointRow]) -> "ReportEndpoints":
        """Raises KeyError if an endpoint is missing."""
        served = {f"{row.method} {row.path}": row for row in rows if isinstance(row, Endpoint)}
        return cls({tool.route: served[tool.route] for tool in REPORT_TOOLS})

    async def answer(self, call: ReportCall, principal: Principal) -> Any:
        """Return the endpoint's answer as JSON. The caller has checked the permission.

        Raises the handler's errors.
        """
        endpoint = self.by_route[call.tool.route]
        scope = {
            "type": "http",
            "method": call.tool.method,
            "path": call.tool.path,
            "headers": [],
            "query_string": b"",
            "path_params": dict(call.path_params),
        }
        answer = await endpoint.handler(Request(scope), principal, endpoint.takes.model_validate(call.fields))
        if isinstance(answer, Response):
            return json.loads(bytes(answer.body))
        return answer.model_dump(mode="json")
