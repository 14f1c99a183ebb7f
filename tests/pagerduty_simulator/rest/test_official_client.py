"""PagerDuty's own Python client, against the simulator over a real socket."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pagerduty
import pytest

from pagerduty_simulator.account import Account
from tests.support.rest_account import INES, Api


class ToLoopback(httpx2.BaseTransport):
    """Sends what is meant for PagerDuty's host, which the client insists on, to the simulator."""

    def __init__(self, url: str) -> None:
        self._url = httpx2.URL(url)
        self._http = httpx2.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host=self._url.host, port=self._url.port)
        return self._http.handle_request(request)

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def client(api: Api) -> Iterator[pagerduty.RestApiV2Client]:
    with pagerduty.RestApiV2Client(
        "full", default_from=INES, transport=ToLoopback(str(api.http.base_url))
    ) as made:
        yield made


async def test_it_walks_through_all_pages(past: Account, client: pagerduty.RestApiV2Client) -> None:
    def walk() -> Any:
        return [
            incident["incident_number"]
            for incident in client.iter_all("incidents", params={"date_range": "all"})
        ]

    assert await asyncio.to_thread(walk) == list(range(1, 61))


async def test_it_works_on_an_incident_from_beginning_to_end(
    api: Api, client: pagerduty.RestApiV2Client
) -> None:
    service = {"id": api.service_id("Search"), "type": "service_reference"}

    def work() -> Any:
        made = client.rpost(
            "incidents", json={"type": "incident", "title": "By the client", "service": service}
        )
        client.rput(
            made["self"],
            json={"type": "incident", "status": "acknowledged"},
        )
        client.rpost(f"/incidents/{made['id']}/notes", json={"content": "Looking"})
        client.rput(f"/incidents/{made['id']}", json={"type": "incident", "status": "resolved"})
        return client.rget(f"/incidents/{made['id']}"), client.rget(f"/incidents/{made['id']}/notes")

    incident, notes = await asyncio.to_thread(work)
    assert incident["status"] == "resolved"
    assert [note["content"] for note in notes] == ["Looking"]


async def test_it_finds_people_and_walks_the_cursor_of_audit_records(
    api: Api, client: pagerduty.RestApiV2Client
) -> None:
    path = f"/schedules/{api.schedule_id('Storefront primary')}"
    schedule = (await api.get(path))["schedule"]
    for number in range(30):
        await api.send("PUT", path, {"schedule": schedule | {"name": f"Name {number}"}})
    records = await asyncio.to_thread(lambda: list(client.iter_cursor(f"{path}/audit/records")))
    assert len(records) == 30
    user = await asyncio.to_thread(client.find, "users", INES, "email")
    assert user is not None
    assert user["name"] == "Ines Albrecht"


async def test_it_reads_an_error_s_code(api: Api, client: pagerduty.RestApiV2Client) -> None:
    with pytest.raises(pagerduty.HttpError) as refused:
        await asyncio.to_thread(client.rget, "/incidents/QNONE")
    assert refused.value.response is not None
    assert refused.value.response.status_code == 404
