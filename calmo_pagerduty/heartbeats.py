"""A process shows by a file that it works. A health check, or who started the process, reads the file's age.

It says nothing of Temporal or of the database: a restart would mend neither.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
#: A process whose file is older than this hangs: its event loop or its threads do nothing any more.
HUNG_SECONDS = 30.0
_SUFFIX = ".heartbeat"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A process of this machine that lives, and how many seconds ago it last showed that it works."""

    pid: int
    age: float

    @property
    def is_hung(self) -> bool:
        return self.age > HUNG_SECONDS


async def show_heartbeat(folder: Path, program: str) -> None:
    """Touch the process's file until cancelled: the event loop and a thread of its pool must both work."""
    file = folder / f"{program}-{socket.gethostname()}-{os.getpid()}{_SUFFIX}"
    shown = True
    try:
        while True:
            try:
                await asyncio.to_thread(_touch, file)
                shown = True
            except OSError as error:
                if shown:
                    logger.warning("heartbeat_not_shown", extra={"error": str(error)})
                shown = False
            await asyncio.sleep(BEAT_SECONDS)
    finally:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def list_heartbeats(folder: Path, program: str) -> list[Heartbeat]:
    """Return the living processes of this machine that run `program`."""
    found = []
    for file in folder.glob(f"{program}-{socket.gethostname()}-*{_SUFFIX}"):
        pid = file.name.removesuffix(_SUFFIX).rpartition("-")[2]
        with contextlib.suppress(OSError):
            if pid.isdigit() and _lives(int(pid)):
                found.append(Heartbeat(int(pid), time.time() - file.stat().st_mtime))
    return sorted(found, key=lambda heartbeat: heartbeat.pid)


def is_hung(folder: Path, program: str, pid: int) -> bool:
    """Return whether this process of ours has stopped to show that it works."""
    return any(beat.is_hung for beat in list_heartbeats(folder, program) if beat.pid == pid)


def _touch(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It is another user's: it lives.
        return True
    return True
