"""The whole service beside a simulated PagerDuty whose clock is ours, with hands to act on issues."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from pagerduty_simulator.account import Account
from pagerduty_simulator.events import Event
from pagerduty_simulator.shop import online_shop
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.healing_service import Healed, healing_service
from tests.support.parts import Parts
from tests.support.patience import ANSWER, STORY
from tests.support.tool_service import ToolService

Json = dict[str, Any]


@dataclass
class Acting:
    """What a test holds in its hands. `held` are events that PagerDuty has not delivered yet."""

    healed: Healed
    held: list[Event] = field(default_factory=list)

    @property
    def service(self) -> ToolService:
        return self.healed.service

    @property
    def database(self) -> Database:
        return self.healed.database

    @property
    def account(self) -> Account:
        return self.service.site.account

    def ref(self, incident_id: str) -> IncidentRef:
        return IncidentRef(connection_id=self.healed.connection_id, incident_id=incident_id)

    async def an_issue(self, title: str = "Basket is slow") -> str:
        """Trigger an incident at PagerDuty, see it become an issue, and return the incident's id."""
        events = self.account.trigger(next(iter(self.account.services)), title)
        await self.healed.deliver(events)
        return str(events[0].incident_id)

    async def post(
        self, incident_id: str, action: str, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> httpx.Response:
        own = {name: arguments.pop(name) for name in ("idempotency_key", "wait_seconds") if name in arguments}
        return await self.service.http.post(
            f"/api/issues/{self.ref(incident_id).issue_id}/actions",
            json={"action": action, "arguments": arguments, **own},
            headers=headers or self.service.headers,
            timeout=ANSWER,
        )

    async def act(self, incident_id: str, action: str, **arguments: Any) -> Json:
        """Act on the incident's issue; the test fails if it isn't done."""
        answer = await self.post(incident_id, action, **arguments)
        found: Json = answer.json()
        assert answer.status_code == 200, answer.text
        return found

    async def issue(self, incident_id: str) -> Json:
        return await self.service.get(f"/api/issues/{self.ref(incident_id).issue_id}")

    async def told(self, incident_id: str) -> list[str]:
        """Return what the issue's timeline says, oldest first."""
        return [entry["summary"] for entry in (await self.issue(incident_id))["timeline"]]

    async def operations(self, incident_id: str) -> list[Json]:
        path = f"/api/issues/{self.ref(incident_id).issue_id}/actions"
        found: list[Json] = (await self.service.get(path))["operations"]
        return found

    def hold_webhooks(self) -> None:
        """From now on PagerDuty's webhooks wait until they are released."""
        self.service.site.publish = self.held.extend  # type: ignore[method-assign, assignment]

    async def release_webhooks(self) -> None:
        """Let PagerDuty deliver what was held, and see all of it arrive."""
        held, self.held = list(self.held), []
        self.service.site.publish = self.service.site.sender.publish  # type: ignore[method-assign]
        await self.healed.deliver(held)

    async def settled(self) -> None:
        """Wait until every webhook and every answer has reached its issue."""
        await self.service.site.sender.drained(STORY)
        await self.healed.until_applied()

    async def run_of(self, incident_id: str) -> str:
        """Return the id of the workflow's latest run."""
        handle = self.healed.temporal.get_workflow_handle(self.ref(incident_id).workflow_id)
        return str((await handle.describe()).run_id)

    async def workflow_status(self, incident_id: str) -> str:
        handle = self.healed.temporal.get_workflow_handle(self.ref(incident_id).workflow_id)
        return str((await handle.query("state"))["status"])

    async def until_workflow_knows(self, incident_id: str, status: str) -> None:
        await eventually(lambda: self.workflow_status(incident_id), lambda found: found == status)

    def rows_of(self, incident_id: str) -> list[Any]:
        """Return the timeline's rows, also those that are not shown."""
        issue_id = self.ref(incident_id).issue_id
        return [row for row in rows(self.database, tables.timeline) if row.issue_id == issue_id]


@contextlib.asynccontextmanager
async def acting_service(parts: Parts, working: bool = True) -> AsyncIterator[Acting]:
    """Not `working`: without a worker of this process."""
    async with healing_service(parts, working=working) as healed:
        account = online_shop(now=lambda: datetime.now(UTC), seed=11)
        healed.service.site.account = healed.past.account = account
        yield Acting(healed)
