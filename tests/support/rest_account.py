"""A client that talks to the simulated account's REST API over a real socket."""

from datetime import UTC, datetime
from typing import Any

import httpx

from pagerduty_simulator.rest_api import AccountSite

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)
INES = "ines.albrecht@lantern-lane.example"


class Api:
    """Sends requests with the account's token and gives back what was answered."""

    def __init__(self, site: AccountSite, http: httpx.AsyncClient) -> None:
        self.site = site
        self.http = http

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": "Token token=full", "From": INES} | more.pop("headers", {})
        return await self.http.request(method, path, json=body, headers=headers, **more)

    async def get(self, path: str, **query: Any) -> Any:
        response = await self.send("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def incident(self, **fields: Any) -> dict[str, Any]:
        service_id = fields.pop("service_id", None) or self.service_id("Search")
        body = {"type": "incident", "title": "Search is slow", **fields}
        body["service"] = {"id": service_id, "type": "service_reference"}
        response = await self.send("POST", "/incidents", {"incident": body})
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()["incident"]
        return made

    async def change(self, incident_id: str, **fields: Any) -> httpx.Response:
        body = {"incident": {"type": "incident", **fields}}
        return await self.send("PUT", f"/incidents/{incident_id}", body)

    def service_id(self, name: str) -> str:
        return id_of(self.site.account.services, name)

    def user_id(self, name: str) -> str:
        return id_of(self.site.account.users, name)

    def schedule_id(self, name: str) -> str:
        return id_of(self.site.account.belongings.schedules, name)


def id_of(owned: dict[str, Any], name: str) -> str:
    return next(str(thing.id) for thing in owned.values() if thing.name == name)
