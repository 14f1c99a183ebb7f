"""Ports, and child processes that never outlive their parent."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from calmo_pagerduty.kernel.explained_error import ExplainedError

_PR_SET_PDEATHSIG = 1


class PortTaken(ExplainedError):
    """Something else listens on a port; the message says which option chooses another one."""


def check_port(host: str, port: int, option: str) -> None:
    """Raises PortTaken if nothing of ours could listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"port {port} of {host} can't be used ({error.strerror}): choose another one with {option}"
            ) from None


def free_port() -> int:
    """Return a port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def start_child(
    command: Sequence[str],
    log_file: Path,
    environment: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
) -> asyncio.subprocess.Process:
    """Start a program in a session of its own, so that Ctrl-C reaches only us; its output is appended
    to a file. It gets our environment, changed by `environment`: None takes a variable away. On Linux
    it ends when we die, however we die.
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
    """Ask the child to end; after `patience` seconds, end it."""
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
    # The parent may have died before we asked to be told.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
