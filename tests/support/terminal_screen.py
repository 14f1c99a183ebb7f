"""A terminal with somebody at it: what they see, and the keys that they press."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

CTRL_C = b"\x03"
#: Colours, cursor movements, links: what a terminal acts on and does not show.
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)|\r")


class Terminal:
    """The program's side is its controlling terminal, so that Ctrl-C is a signal to it."""

    def __init__(self, rows: int, columns: int) -> None:
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._received = b""
        self._is_open = True
        self.process: asyncio.subprocess.Process | None = None

    @property
    def shown(self) -> str:
        """Everything that was ever shown, as plain text."""
        return _CONTROL.sub(b"", self._received).decode(errors="replace")

    @property
    def raw(self) -> bytes:
        return self._received

    async def run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def close(self) -> None:
        """Close the window; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._ours)
            os.close(self._ours)
            os.close(self._theirs)

    def _read(self) -> None:
        self._received += os.read(self._ours, 65536)


@asynccontextmanager
async def a_terminal(rows: int = 50, columns: int = 140) -> AsyncIterator[Terminal]:
    terminal = Terminal(rows, columns)
    try:
        yield terminal
    finally:
        if terminal.process is not None and terminal.process.returncode is None:
            terminal.process.terminate()
            await terminal.process.wait()
        terminal.close()


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
