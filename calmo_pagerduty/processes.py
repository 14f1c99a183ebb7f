"""Ports, and child processes that end with their parent."""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from calmo_pagerduty.kernel.explained_error import ExplainedError

_PR_SET_PDEATHSIG = 1


#: How much the processes behind a door lower their priority, so that a door on the same machine goes first.
YIELD_NICENESS = 5


def yield_to_doors() -> None:
    """Lower this process's priority: what it does may wait, and PagerDuty waits 5 s for a door's answer."""
    os.nice(YIELD_NICENESS)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Load a program inside. All of it stays, so garbage is looked for neither meanwhile nor in it later.

    To search the modules again and again took a fifth of a program's start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class PortTaken(ExplainedError):
    """The port can't be used. The message names the option that chooses another port."""


def check_port(host: str, port: int, option: str) -> None:
    """Check that we can listen on the port. Raises PortTaken, which names `option`."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"port {port} of {host} can't be used ({error.strerror}): choose another one with {option}"
            ) from None


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def start_child(
    command: Sequence[str],
    log_file: Path,
    environment: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
) -> asyncio.subprocess.Process:
    """Start a program and append its output to a file.

    It gets its own session, so that Ctrl-C reaches only us, and our environment with the changes of
    `environment` (None removes a variable). On Linux, the kernel ends it when we die.
    """
    with log_file.open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_changed_environment(environment or {}),
            start_new_session=True,
            preexec_fn=partial(_die_with_parent, os.getpid()) if sys.platform == "linux" else None,
        )
    if stdin is not None and child.stdin is not None:
        child.stdin.write(stdin)
        child.stdin.close()
    return child


async def stop_child(child: asyncio.subprocess.Process, timeout: float) -> None:
    """Terminate the child; after `timeout` seconds, kill it."""
    if child.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), timeout)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _changed_environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**os.environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the prctl call.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
