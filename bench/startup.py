"""How much CPU a command takes to start, next to importing the library that the command line is made with."""

import asyncio
import os
import resource
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figures, median_of
from bench.progress import print_progress
from bench.sizes import Sizes
from calmo_pagerduty.processes import free_port

TARGET_RATIO = 4.0
UNIT = "x import typer"
BASE = ("-c", "import typer")
#: What a command does until it knows that nothing answers, or that it is only to explain itself.
COMMANDS: Mapping[str, Sequence[str]] = {
    "help": ("--help",),
    "up_help": ("up", "--help"),
    "webhook_help": ("webhook", "--help"),
    "context_help": ("context", "--help"),
    "mcp_help": ("mcp", "--help"),
    "issues_list": ("issues", "list"),
    "issues_show": ("issues", "show", "PT4KHLK"),
    "tool_list": ("tool", "list"),
    "webhook_list": ("webhook", "list"),
    "context": ("context", "PT4KHLK"),
    "connection_list": ("connection", "list"),
    "health_ingress": ("health", "ingress"),
}
#: An agent's server lasts as long as its agent, and the SDK of MCP is most of its start: no target.
UNLIMITED: Mapping[str, Sequence[str]] = {
    "mcp_until_input_ends": ("-m", "ingress", "mcp"),
    "mcp_sdk_import": ("-c", "import mcp.server.stdio"),
}


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Start each command some times, and compare each start with an import of typer just before."""
    environment = _environment(folder)
    programs: dict[str, Sequence[str]] = {
        name: ("-m", "ingress", *command) for name, command in COMMANDS.items()
    }
    programs |= UNLIMITED
    figures: Figures = {}
    bases: list[float] = []
    for name, arguments in programs.items():
        print_progress(f"{name}: {sizes.starts} times")
        # The first start compiles our modules, if nobody has.
        await _cpu_seconds(arguments, environment)
        ratios = []
        for _ in range(sizes.starts):
            bases.append(await _cpu_seconds(BASE, environment))
            ratios.append(await _cpu_seconds(arguments, environment) / bases[-1])
        figures[name] = median_of(ratios, UNIT, at_most=None if name in UNLIMITED else TARGET_RATIO)
    return figures, {"import_typer_cpu_seconds": statistics.median(bases)}


def _environment(folder: Path) -> dict[str, str]:
    """No service runs at the address that the commands are given."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return given | {
        "CALMO_DATA_DIR": str(folder),
        "CALMO_URL": f"http://127.0.0.1:{free_port()}",
        "CALMO_API_KEY": "calmo_nobody_nothing",
        "CALMO_HTTP_PORT": str(free_port()),
    }


async def _cpu_seconds(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the processor time, user's and system's, of a Python that runs to its end."""
    before = _children()
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await child.wait()
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
