"""The batcher: one batch at a time, in order, each caller gets its own result or the batch's error."""

import asyncio
from collections.abc import Sequence

import pytest

from calmo_pagerduty.db.batcher import Batcher


class Gated:
    """Work that waits until `gate` is opened. It keeps the batches it was given."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.batches: list[list[int]] = []

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if 13 in items:
            raise ValueError("13")
        return [item * 10 for item in items]


async def added(batcher: Batcher[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Add each item in a task of its own, and let the tasks begin."""
    tasks = [asyncio.create_task(batcher.add(item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_a_lone_item_starts_at_once_and_what_arrives_meanwhile_is_the_next_batch() -> None:
    work = Gated()
    batcher = Batcher(work)
    first = await added(batcher, 1)
    later = await added(batcher, 2, 3, 4)
    assert work.batches == [[1]]
    work.gate.set()
    assert await asyncio.gather(*first, *later) == [10, 20, 30, 40]
    assert work.batches == [[1], [2, 3, 4]]


async def test_an_error_reaches_those_of_its_batch_and_nobody_else() -> None:
    work = Gated()
    batcher = Batcher(work)
    first = await added(batcher, 1)
    spoiled = await added(batcher, 2, 13)
    work.gate.set()
    assert await asyncio.gather(*first) == [10]
    for task in spoiled:
        with pytest.raises(ValueError, match="13"):
            await task
    assert await batcher.add(5) == 50


async def test_a_cancelled_caller_cancels_nobody_else() -> None:
    work = Gated()
    batcher = Batcher(work)
    first = await added(batcher, 1)
    given_up, waiting = await added(batcher, 2, 3)
    first[0].cancel()
    given_up.cancel()
    work.gate.set()
    assert await waiting == 30
    assert given_up.cancelled() and first[0].cancelled()
    assert work.batches == [[1], [2, 3]]
