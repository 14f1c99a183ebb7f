"""Our command line as a program of its own, as people and scripts run it."""

import asyncio
import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.system import System


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and its exit code."""

    code: int
    text: str
    error: str

    @property
    def json(self) -> Any:
        assert self.text, self.error
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Terminal:
    url: str
    service: System

    async def run(
        self,
        *arguments: str,
        said: str | None = None,
        headers: Mapping[str, str] | None = None,
        columns: str = "",
    ) -> Said:
        """Run `calmo-pagerduty` with a key in its environment; `said` is its standard input."""
        key = (headers or self.service.headers)["Authorization"].removeprefix("Bearer ")
        home = str(self.service.ingress.services.settings.data_dir)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": home,
            "CALMO_DATA_DIR": home,
            "CALMO_URL": self.url,
            "CALMO_API_KEY": key,
            "PYTHONUTF8": "1",
            **({"COLUMNS": columns} if columns else {}),
        }
        asked = {"arguments": arguments, "environment": environment, "said": said or ""}
        reader, writer = await asyncio.open_unix_connection(_server(), limit=2**24)
        writer.write(json.dumps(asked).encode() + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        assert "Traceback" not in answer["error"], answer["error"]
        return Said(answer["code"], answer["out"], answer["error"])


@functools.cache
def _server() -> str:
    """Start the server of runs, once; it ends with this process. Returns its socket."""
    folder = tempfile.mkdtemp(prefix="calmo-cli-")
    path = str(Path(folder) / "socket")
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("cli_server.py")), path],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    atexit.register(_stop, server, folder)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    return path


def _stop(server: "subprocess.Popen[bytes]", folder: str) -> None:
    server.kill()
    server.wait()
    if server.stdout is not None:
        server.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)
