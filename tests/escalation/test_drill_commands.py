"""A drill from start to end as a person holds it: the command line, real Temporal, a simulated PagerDuty."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pagerduty_simulator.resources import IncidentStatus
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.patience import STORY
from tests.support.recorded_drills import service_of, stored_snapshot
from tests.support.system import System, running_system
from tests.support.terminal import Terminal
from tests.support.tool_callers import served


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, past=Past(seed=1), webhooks=True) as found:
        yield found


async def test_a_drill_is_named_held_watched_and_shown_from_the_terminal(system: System) -> None:
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
    assert held.code == 0, held
    assert "pages seen" in held.error
    assert "as simulated" in held.text
    assert "PagerDuty did what the simulation says." in held.text
    assert account.incidents[incident_id].status is IncidentStatus.RESOLVED
    await system.settle()
    assert incident_id not in system.issues()


async def paged_by_a_drill(system: System) -> str:
    """Return the incident of our drill once we saw that PagerDuty notified somebody of it; "" before."""
    path = f"/api/connections/{system.connection_id}/escalation/drills"
    drills = (await system.get(path))["drills"]
    seen = (drill for drill in drills if (drill["report"] or {}).get("seen_pages"))
    return next((str(drill["incident_id"]) for drill in seen), "")
