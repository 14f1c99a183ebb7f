"""A drill as a person holds it: by command line and dashboard, with Temporal and a simulated PagerDuty."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from pagerduty_simulator.resources import IncidentStatus
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.patience import ANSWER, STORY
from tests.support.recorded_drills import service_of, stored_snapshot
from tests.support.system import System, running_system
from tests.support.terminal import Terminal
from tests.support.tool_callers import served


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, past=Past(seed=1), webhooks=True) as found:
        yield found


async def test_a_drill_is_held_and_shown_in_the_terminal_and_on_the_dashboard(system: System) -> None:
    account, service_id = system.site.account, service_of(system)
    name = account.services[service_id].name
    await stored_snapshot(system)
    async with served(system) as url:
        terminal = Terminal(url, system)
        refused = await terminal.run("escalation", "drill", name, "--yes")
        assert (refused.code, "escalation drill-service" in refused.error) == (1, True)
        assert "no service 'Nope'" in (await terminal.run("escalation", "drill-service", "Nope")).error
        named = await terminal.run("escalation", "drill-service", name.lower())
        assert named.text == f"{service_id}  {name}: on demand\n"
        arguments = ("escalation", "drill", name, "--watch-minutes", "1", "--yes", "--wait")
        holding = asyncio.create_task(terminal.run(*arguments))
        incident_id = await eventually(lambda: paged_by_a_drill(system), within=STORY)
        # Somebody answers, which ends the watching.
        account.acknowledge(incident_id, by=next(iter(account.users)))
        held = await holding
        await hold_and_cancel_on_the_dashboard(url, system)
    assert held.code == 0, held
    assert "pages seen" in held.error
    assert "as simulated" in held.text
    assert "PagerDuty did what the simulation says." in held.text
    assert account.incidents[incident_id].status is IncidentStatus.RESOLVED
    await system.settle()
    assert incident_id not in system.issues()


async def hold_and_cancel_on_the_dashboard(url: str, system: System) -> None:
    key = system.headers["Authorization"].removeprefix("Bearer ")
    async with httpx.AsyncClient(
        base_url=url, headers={"Origin": url}, trust_env=False, timeout=ANSWER
    ) as browser:
        assert (await browser.post("/dashboard/sign-in/key", data={"key": key})).status_code == 303
        page = (await browser.get("/dashboard/policies/drills")).text
        assert ">nothing</td>" in page and "Hold a drill now" in page
        [csrf, *_] = re.findall(r'name="csrf" value="(\w+)"', page)
        form = {"csrf": csrf, "connection": system.connection_id}
        began = await browser.post(
            "/dashboard/policies/drills", data={**form, "service": service_of(system), "watch_minutes": "30"}
        )
        drill = began.headers["location"].partition("started=")[2]

        async def shown() -> str:
            return (await browser.get(f"/dashboard/policies/drills/{drill}")).text

        async def shows(words: str) -> bool:
            return words in await shown()

        await eventually(lambda: shows("Cancel the drill"), within=STORY)
        await browser.post(f"/dashboard/policies/drills/{drill}/cancel", data=form)
        await eventually(lambda: shows("<span>Cancelled</span>"), within=STORY)


async def paged_by_a_drill(system: System) -> str:
    """Return the incident of our drill once we saw that PagerDuty notified somebody of it; "" before."""
    path = f"/api/connections/{system.connection_id}/escalation/drills"
    drills = (await system.get(path))["drills"]
    seen = (drill for drill in drills if (drill["report"] or {}).get("seen_pages"))
    return next((str(drill["incident_id"]) for drill in seen), "")
