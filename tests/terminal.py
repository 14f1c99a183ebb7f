"""Our command line as a program of its own, as people and scripts run it."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tool_service import ToolService

PROGRAM = Path(sys.executable).with_name("calmo-pagerduty")


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
    service: ToolService

    async def run(
        self,
        *arguments: str,
        said: str | None = None,
        headers: Mapping[str, str] | None = None,
        columns: str = "",
    ) -> Said:
        """Run `calmo-pagerduty` with a key in its environment; `said` is its standard input."""
        key = (headers or self.service.headers)["Authorization"].removeprefix("Bearer ")
        home = str(self.service.ingress.settings.data_dir)
        child = await asyncio.create_subprocess_exec(
            PROGRAM, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": "/usr/bin:/bin", "HOME": home, "CALMO_DATA_DIR": home, "CALMO_URL": self.url,
                "CALMO_API_KEY": key, "PYTHONUTF8": "1",
                **({"COLUMNS": columns} if columns else {}),
            },
        )  # fmt: skip
        out, error = await child.communicate((said or "").encode())
        assert child.returncode is not None
        assert b"Traceback" not in error, error.decode()
        return Said(child.returncode, out.decode(), error.decode())
