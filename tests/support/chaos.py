"""What is done to the parts, and when: random, but the same for the same seed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pagerduty_simulator.events import Event
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.chance import repeatable


class Parts(Protocol):
    """Parts that go by their names, and can be struck."""

    async def crash(self, name: str, down_seconds: float, /) -> None: ...

    async def freeze(self, name: str, seconds: float, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Blow:
    """One crash or freeze: `at_seconds` after the beginning, lasting for `seconds`."""

    at_seconds: float
    kind: Literal["crash", "freeze"]
    part: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at_seconds:5.1f} s: {self.kind} {self.part} for {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad a day it is: crashes of each part, and certain outages besides."""

    seconds: float
    crashes: Mapping[str, int]
    longest_crash_seconds: float = 1.5
    #: (kind, part, seconds), each once at a random moment.
    outages: tuple[tuple[Literal["crash", "freeze"], str, float], ...] = field(default=())

    def blows(self, seed: int) -> dict[str, list[Blow]]:
        """Return each part's blows in the order of time. Those of one part never overlap."""
        rng = repeatable(seed)
        found: dict[str, list[Blow]] = {}
        for part, crashes in self.crashes.items():
            mine = [("crash", part, rng.uniform(0, self.longest_crash_seconds)) for _ in range(crashes)]
            mine += [outage for outage in self.outages if outage[1] == part]
            rng.shuffle(mine)
            # One slot each: a second blow at the very same moment would test nothing more.
            slot = self.seconds / len(mine)
            found[part] = [
                Blow(slot * (index + 0.8 * rng.random()), kind, part, seconds)  # type: ignore[arg-type]  # mypy widens the kind to str
                for index, (kind, part, seconds) in enumerate(mine)
            ]
        return found


async def rage(parts: Parts, blows: Mapping[str, list[Blow]]) -> None:
    """Deal all blows: those of one part one after the other, parts independently of each other."""
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def strike(mine: list[Blow]) -> None:
        for blow in mine:
            await asyncio.sleep(begun + blow.at_seconds - loop.time())
            deal = parts.crash if blow.kind == "crash" else parts.freeze
            await deal(blow.part, blow.seconds)

    async with asyncio.TaskGroup() as strikes:
        for mine in blows.values():
            strikes.create_task(strike(mine))


async def publish_evenly(sender: WebhookSender, arriving: Sequence[Event], seconds: float) -> None:
    """Publish at an even pace, whether anybody answers or not: incidents don't wait for receivers."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number, event in enumerate(arriving):
        await asyncio.sleep(begun + seconds * number / len(arriving) - loop.time())
        sender.publish([event])
