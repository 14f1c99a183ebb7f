"""The path of a connection's resources, for commands that take the only connection by default."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from calmo_pagerduty.clients.requests import ApiProblem

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient


def connection_path(client: "ApiClient", connection: str | None) -> str:
    """Return `/api/connections/ID`. Raises ApiProblem unless the connection is named, or the only one."""
    if connection is None:
        found = [row["id"] for row in client.get("/api/connections")["connections"]]
        if len(found) != 1:
            raise ApiProblem(f"there are {len(found)} connections: name one ({', '.join(found[:5])})")
        [connection] = found
    return f"/api/connections/{quote(connection, safe='')}"
