"""Carries out analyses in a process of their own: they compute for seconds, and the worker must answer.

The process gets a snapshot as it is stored, compressed, and keeps the last one decoded. It ends when a run
ends, so its memory is free between runs, and also when the worker dies.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import lru_cache

from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.snapshots.codec import EncodedSnapshot, decode_snapshot
from calmo_pagerduty.snapshots.model import AccountSnapshot

PARENT_CHECK_SECONDS = 1.0


class AnalysisProcess:
    """Runs analyses by name, one at a time. A process that died is replaced by a new one."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._active = 0

    async def analyse(self, name: str, snapshot: EncodedSnapshot, now: int) -> AnalysisResult:
        """Raises what the analysis raises, and BrokenProcessPool if its process died."""
        if self._pool is None:
            # A fork would copy this process's threads' locks.
            spawning = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawning, _watch_parent, (os.getpid(),))
        self._active += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, analyse_encoded, name, snapshot, now)
        except BrokenProcessPool:
            self.close()
            raise
        finally:
            self._active -= 1

    def release(self) -> None:
        """End the process unless an analysis runs in it."""
        if self._active == 0:
            self.close()

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _watch_parent(parent: int) -> None:
    """End this process when its parent is gone: a killed parent tells nobody."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    with contextlib.suppress(OSError):
        os.nice(5)
    threading.Thread(target=watch, daemon=True).start()


def analyse_encoded(name: str, snapshot: EncodedSnapshot, now: int) -> AnalysisResult:
    """Carry out an analysis in this process, which has no other purpose."""
    return ANALYSES[name](_decoded(snapshot), now)


@lru_cache(maxsize=1)
def _decoded(snapshot: EncodedSnapshot) -> AccountSnapshot:
    stored = decode_snapshot(snapshot.head, snapshot.parts, dict(snapshot.blobs))
    decoded = replace(stored, absences=snapshot.absences)
    # The collector need not look at the snapshot again and again: it holds no cycle.
    gc.freeze()
    return decoded
