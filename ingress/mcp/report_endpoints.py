"""Calls the REST API's own endpoints for agents, in this process."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.kernel.validation_text import validation_text
from ingress.api.endpoints import Endpoint, EndpointRow
from ingress.mcp.report_shapes import InvalidInput, ReportCall
from ingress.mcp.report_tools import REPORT_TOOLS


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

        Raises InvalidInput, and the handler's errors.
        """
        endpoint = self.by_route[f"{call.shape.method} {call.shape.path}"]
        scope = {
            "type": "http",
            "method": call.shape.method,
            "path": call.shape.path,
            "headers": [],
            "query_string": b"",
            "path_params": dict(call.path_params),
        }
        answer = await endpoint.handler(Request(scope), principal, _input(endpoint, call))
        if isinstance(answer, Response):
            return json.loads(bytes(answer.body))
        return answer.model_dump(mode="json")


def _input(endpoint: Endpoint[Any, Any], call: ReportCall) -> Any:
    """Return the endpoint's input. Raises InvalidInput."""
    try:
        return endpoint.takes.model_validate(call.fields)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, fault['loc']))}: {validation_text(fault)}" for fault in error.errors()
        )
        raise InvalidInput("; ".join(problems)) from error
