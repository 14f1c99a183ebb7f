"""Many actions through whatever goes wrong, and the account of what became of them."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calmo_pagerduty.connections import store as connections
from pagerduty_simulator.rest.faults import Faults
from tests.support.patience import STORY
from tests.support.system import System
from tests.support.tool_callers import until_state
from tests.support.worker_processes import TEST_KEYS, worker_processes

Json = dict[str, Any]

#: What may be done to an incident that stands so.
POSSIBLE = {
    "triggered": ("acknowledge", "add_note", "set_priority", "reassign", "resolve"),
    "acknowledged": ("add_note", "set_priority", "snooze", "reassign", "escalate", "resolve"),
    "resolved": ("reopen", "add_note"),
}


@dataclass
class Script:
    """Actions on incidents, each incident's one after the other; all incidents at once."""

    system: System
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)
    notes: dict[str, list[str]] = field(default_factory=dict)
    answers: list[Json] = field(default_factory=list)

    async def play(self, incidents: list[str], actions: int) -> None:
        self.system.database.write_blocking(
            lambda t: connections.update_connection(t, self.system.connection_id, requests_per_minute=600_000)
        )
        each = actions // len(incidents)
        await asyncio.gather(*(self._lane(incident, each) for incident in incidents))

    async def _lane(self, incident: str, actions: int) -> None:
        for number in range(actions):
            status = str(self.system.account.incident(incident).status)
            action = self.rng.choice(POSSIBLE[status])
            answer = await self.system.post(
                incident,
                action,
                idempotency_key=f"{incident}-{number}",
                wait_seconds=60,
                **self._arguments(incident, action, number),
            )
            call = answer.json()
            if call.get("state") == "running":
                call = await until_state(self.system, call["call_id"], "done", within=STORY)
            assert call.get("state") == "done", (action, call)
            self.done[incident] += 1
            self.answers.append(call)

    def _arguments(self, incident: str, action: str, number: int) -> Json:
        account = self.system.account
        if action == "add_note":
            text = f"note {number} of {incident}."
            self.notes.setdefault(incident, []).append(text)
            return {"content": text}
        if action == "set_priority":
            return {"priority_id": self.rng.choice(list(account.priorities))}
        if action == "reassign":
            return {"assignee_ids": [self.rng.choice(list(account.users))]}
        return {"snooze": {"seconds": 86_400}, "escalate": {"escalation_level": 1}}.get(action, {})

    async def wrong(self) -> list[str]:
        """Return what isn't as it should be: lost, doubled, an echo on a timeline, or another end."""
        found = list(self.system.differences())
        for incident, count in self.done.items():
            issue = await self.system.issue(incident)
            told = issue["timeline"][1:]
            found += [f"{incident}: {len(told)} entries for {count} actions"] if len(told) != count else []
            found += [f"{incident}: an echo: {entry['summary']}" for entry in told if entry["author"] is None]
            there = Counter(
                note.content.split("\n")[0] for note in self.system.account.incident(incident).notes
            )
            if there != Counter(self.notes.get(incident, [])):
                found.append(f"{incident}: notes {there}")
        outcomes = Counter(
            [
                operation["outcome"]
                for incident in self.done
                for operation in await self.system.operations(incident)
            ]
        )
        if set(outcomes) != {"done"} or outcomes.total() != self.done.total():
            found.append(f"outcomes {outcomes} of {self.done.total()}")
        return found


class DeadlyFaults(Faults):
    """Faults of which some strike when PagerDuty has applied a write, and then call `strike`."""

    def __init__(self, strikes: int, every: int, strike: Callable[[], None], **more: Any) -> None:
        super().__init__(**more)
        self.left, self._every, self._strike, self._writes = strikes, every, strike, 0

    def next_kind(self, operation: str, *, writes: bool) -> str | None:
        self._writes += writes
        if writes and self.left and self._writes % self._every == 0:
            self.left -= 1
            # The request is carried out in this very step, before anything else is.
            asyncio.get_running_loop().call_soon(self._strike)
            return "timeout_after"
        return super().next_kind(operation, writes=writes)


@contextlib.asynccontextmanager
async def mortal_worker(system: System, data_dir: Path, temporal: str) -> AsyncIterator[Callable[[], None]]:
    """A worker process of its own; yields what kills it, whereupon a new one is started."""
    settings = system.ingress.services.settings
    processes = worker_processes(
        data_dir,
        temporal,
        ENCRYPTION_KEYS=TEST_KEYS,
        TASK_QUEUE=settings.task_queue,
        SIMULATOR_URL=str(settings.simulator_url),
        GATHER_CONTEXT="false",
    )
    async with processes as start:
        dead = asyncio.Event()
        living = [await start()]

        async def revive() -> None:
            while True:
                await dead.wait()
                dead.clear()
                await living[-1].wait()
                living.append(await start())

        def strike() -> None:
            if living[-1].returncode is None:
                living[-1].kill()
            dead.set()

        reviving = asyncio.create_task(revive())
        try:
            yield strike
        finally:
            reviving.cancel()
            await asyncio.gather(reviving, return_exceptions=True)
