"""An action is undone by another one with the former value, unless somebody was quicker."""

import html
import re
from typing import Any

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.undoing import former_values
from tests.incidents.test_undoing import an_issue
from tests.support.parts import Parts
from tests.support.system import System, running_system

ORIGIN = {"Origin": "http://calmo.test"}


class Dashboard:
    """The page of an incident's issue, without a browser."""

    def __init__(self, system: System, incident: str) -> None:
        self._system = system
        self._path = f"/dashboard/issues/{system.ref(incident).issue_id}"
        self._headers: dict[str, str] = dict(ORIGIN)

    async def sign_in(self) -> None:
        key = self._system.a_key(person="Alice")["Authorization"].removeprefix("Bearer ")
        answer = await self._system.http.post("/dashboard/sign-in/key", data={"key": key}, headers=ORIGIN)
        self._headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]

    async def shown(self) -> str:
        return html.unescape((await self._system.http.get(self._path, headers=self._headers)).text)

    async def undo(self, form: tuple[str, str]) -> str:
        """Send the form of an undo; return the message that is shown afterwards."""
        action, fields = form
        await self._system.http.post(action, data=dict(FIELD.findall(fields)), headers=self._headers)
        found = re.search(r'class="message[^>]*>(.*?)</', await self.shown(), re.S)
        assert found is not None
        return found[1].strip()

    async def undos(self) -> list[tuple[str, str]]:
        """Return the forms that undo something, the newest first: the address and the fields."""
        return FORM.findall(await self.shown())


FORM = re.compile(r'<form[^>]*action="([^"]*/undo/[^"]*)"[^>]*>(.*?)</form>', re.S)
FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


def who_has(system: System, incident: str) -> list[str]:
    return sorted(user.id for user in system.account.incident(incident).assignees)


async def test_reassigning_escalating_and_a_priority_are_undone_and_a_conflict_is_said(parts: Parts) -> None:
    async with running_system(parts, webhooks=True) as system:
        incident = await system.page("Basket is slow")
        page, account = Dashboard(system, incident), system.account
        await page.sign_in()
        first, (*_, other) = who_has(system, incident), account.users
        assert other not in first and await page.undos() == []

        await system.act(incident, "reassign", assignee_ids=[other])
        [form] = await page.undos()
        assert "PagerDuty did it" in await page.undo(form)
        assert who_has(system, incident) == first

        await system.act(incident, "set_priority", priority_id=system.priority("P3"))
        await system.act(incident, "set_priority", priority_id=system.priority("P1"))
        assert "back to P3" in await page.shown()
        await page.undo((await page.undos())[0])
        priority = account.incident(incident).priority
        assert priority is not None and priority.name == "P3"

        await system.act(incident, "reassign", assignee_ids=[other])
        form = (await page.undos())[0]
        # Somebody else is quicker, and we have not heard of it.
        third = next(user for user in account.users if user not in (other, *first))
        events = account.reassign(incident, (third,), by=third)
        assert "assigned to others meanwhile" in await page.undo(form)
        assert who_has(system, incident) == [third]
        # Now we have.
        await system.deliver(events)
        await system.settle()
        assert "nothing to undo any more" in await page.undo(form)


def test_what_replaces_nothing_has_no_former_value() -> None:
    replacing: Any = {action for action in Action if former_values(action, an_issue()) is not None}
    assert replacing == {Action.REASSIGN, Action.ESCALATE, Action.SET_PRIORITY}
