"""Runs after rough nights whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from tests.support.eventually import eventually
from tests.support.rough_night import begin_rough_night, requests
from tests.support.system import System

#: Returns the workflow's id.
Scenario = Callable[[System], Awaitable[str]]


async def rough_night_accepted(service: System) -> str:
    """The first person declines, the second accepts."""
    workflow_id = await begin_rough_night(service)
    (asked,) = await eventually(lambda: requests(service), lambda found: len(found) == 1)
    path = f"/api/cover-requests/{asked['id']}/answer"
    first = asked["asked"][0]["id"]
    declined = await service.http.post(
        path, json={"answer": "decline", "user_id": first}, headers=service.headers
    )
    second = declined.json()["asked"][1]["id"]
    accepted = await service.http.post(
        path, json={"answer": "accept", "user_id": second}, headers=service.headers
    )
    assert accepted.json()["state"] == "accepted", accepted.text
    return await _ended(service, workflow_id)


async def rough_night_expired(service: System) -> str:
    """Nobody answers until the person's time on call ends."""
    return await _ended(service, await begin_rough_night(service, covers=timedelta(seconds=4)))


async def _ended(service: System, workflow_id: str) -> str:
    await service.ingress.services.temporal.client.get_workflow_handle(workflow_id).result()
    return workflow_id


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario for scenario in (rough_night_accepted, rough_night_expired)
}
