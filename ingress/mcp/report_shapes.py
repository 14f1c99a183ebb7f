"""What an agent's server knows of a report tool: an endpoint of our REST API, its fields, its description.

It imports neither the endpoints' models nor the database: the server for standard input learns the tools
from the REST API.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from calmo_pagerduty.clients.requests import ApiRequest

Json = dict[str, Any]

#: The path parameter of endpoints below /api/connections: the connection that the agent works on.
CONNECTION_PATH = "/api/connections/{id}"
#: The query's field by which a list is limited to that connection.
CONNECTION_FIELD = "connection"
#: Methods whose fields stand in the query.
QUERY_METHODS = frozenset({"GET", "DELETE"})


class InvalidInput(Exception):
    """The agent's arguments are wrong. The message names the field."""


@dataclass(frozen=True, slots=True)
class ReportShape:
    """One endpoint as a tool. `fields` is the JSON schema of its query or body.

    If `is_limited`, its list is limited to a connection by a field of the query.
    """

    name: str
    method: str
    path: str
    category: str
    title: str
    description: str
    writes: bool
    fields: Json
    is_limited: bool

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The path's parameters that the agent gives: all but the connection."""
        return tuple(re.findall(r"{(\w+)}", self.path.removeprefix(CONNECTION_PATH)))


@dataclass(frozen=True, slots=True)
class ReportCall:
    """A call: the path's parameters, and the query or body, which the endpoint checks."""

    shape: ReportShape
    path_params: Mapping[str, str]
    fields: Json

    def request(self) -> ApiRequest:
        """Return the call as a request of our REST API."""
        path = self.shape.path
        for name, value in self.path_params.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if self.shape.method not in QUERY_METHODS:
            return ApiRequest(self.shape.method, path, body=self.fields)
        params = [
            (name, _query_text(item))
            for name, value in self.fields.items()
            for item in (value if isinstance(value, list) else [value])
            if item is not None
        ]
        return ApiRequest(self.shape.method, path, params)


def parse_call(shape: ReportShape, connection_id: str, arguments: Mapping[str, Any]) -> ReportCall:
    """Return the call on this connection. Raises InvalidInput."""
    fields = dict(arguments)
    path_params = {name: str(fields.pop(name, "")) for name in shape.path_fields}
    if missing := [name for name, value in path_params.items() if not value]:
        raise InvalidInput(f"give {', '.join(missing)}")
    if shape.path.startswith(CONNECTION_PATH):
        path_params["id"] = connection_id
    elif shape.is_limited:
        fields[CONNECTION_FIELD] = [connection_id]
    return ReportCall(shape, path_params, fields)


def _query_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
