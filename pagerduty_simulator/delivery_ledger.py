"""An append-only file of sent and acknowledged events, for crash tests."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pagerduty_simulator.delivery_lanes import Delivery

LedgerMark = Literal["sending", "acknowledged", "dropped"]


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """The events named in a ledger file, each with its incident (None for events without one)."""

    sent: dict[str, str | None]
    acknowledged: dict[str, str | None]
    dropped: dict[str, str | None]


class DeliveryLedger:
    """Writes one JSON line per mark; a call returns once the line is on the disk (fsync).

    Marks that come while the disk is busy share the next fsync: with one fsync per mark the sender
    could not sustain its rate.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab")
        self._lines: list[bytes] = []
        self._flushed: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def mark(self, mark: LedgerMark, subscription_id: str, delivery: Delivery) -> None:
        """Append a line and wait until it is durable."""
        line = {
            "mark": mark,
            "event_id": delivery.event.id,
            "incident_id": delivery.event.incident_id,
            "subscription_id": subscription_id,
            "webhook_id": delivery.webhook_id,
        }
        self._lines.append(json.dumps(line).encode() + b"\n")
        if self._flushed is None:
            self._flushed = asyncio.get_running_loop().create_future()
        flushed = self._flushed
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_until_empty())
        # One waiter's cancellation must not take the flush from the others.
        await asyncio.shield(flushed)

    async def aclose(self) -> None:
        """Write what is still waiting, then close the file."""
        if self._writer is not None:
            await self._writer
        self._file.close()

    async def _write_until_empty(self) -> None:
        while self._flushed is not None:
            lines, flushed = b"".join(self._lines), self._flushed
            self._lines, self._flushed = [], None
            try:
                await asyncio.to_thread(self._write_and_sync, lines)
            except OSError as error:
                flushed.set_exception(error)
            else:
                flushed.set_result(None)
        self._writer = None

    def _write_and_sync(self, lines: bytes) -> None:
        self._file.write(lines)
        self._file.flush()
        os.fsync(self._file.fileno())


def read_ledger(path: Path) -> LedgerReading:
    """Read a ledger; leave out a last line that a crash cut, because its call never returned."""
    found: dict[str, dict[str, str | None]] = {"sending": {}, "acknowledged": {}, "dropped": {}}
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            mark = json.loads(line)
            found[mark["mark"]][mark["event_id"]] = mark["incident_id"]
    return LedgerReading(found["sending"], found["acknowledged"], found["dropped"])
