"""Many actions on one incident while its workflow continues as new: each is taken over, once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.system import System, running_system


@pytest.fixture
async def short_runs(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """Incidents' workflows continue as new after a few events."""
    monkeypatch.setenv("CALMO_CONTINUE_AS_NEW_AFTER", "20")
    async with running_system(parts, webhooks=True) as found:
        yield found


async def test_actions_survive_that_the_workflow_continues_as_new(short_runs: System) -> None:
    system = short_runs
    incident = await system.page()
    runs, notes = set(), []
    for turn in range(4):
        some = [f"Note {turn}.{number}." for number in range(6)]
        answers = await asyncio.gather(*(system.post(incident, "add_note", content=note) for note in some))
        assert Counter(answer.json().get("state") for answer in answers) == {"done": 6}
        await system.settle()
        notes += some
        runs.add(await system.run_of(incident))
    there = Counter(note.content.split("\n")[0] for note in system.account.incident(incident).notes)
    assert there == Counter(notes)
    told = (await system.told(incident))[1:]
    assert Counter(told) == Counter(f"note added by test via Calmo: {note}" for note in notes)
    assert len(runs) > 2
