"""The CPU time of a command's start, compared with an import of typer, the command line's library."""

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
#: Commands that end at once: no service answers, or they only print their help.
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
#: No target: an agent starts its MCP server only once, and the MCP SDK takes most of that start.
UNLIMITED: Mapping[str, Sequence[str]] = {
    "mcp_until_input_ends": ("-m", "ingress", "mcp"),
    "mcp_sdk_import": ("-c", "import mcp.server.stdio"),
}


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Start each command several times; compare each start with an import of typer just before."""
    environment = _environment(folder)
    programs: dict[str, Sequence[str]] = {
        name: ("-m", "ingress", *command) for name, command in COMMANDS.items()
    }
    programs |= UNLIMITED
    figures: Figures = {}
    bases: list[float] = []
    for name, arguments in programs.items():
        print_progress(f"{name}: {sizes.starts} times")
        # The first start compiles our modules if needed.
        await _cpu_seconds(arguments, environment)
        ratios = []
        for _ in range(sizes.starts):
            bases.append(await _cpu_seconds(BASE, environment))
            ratios.append(await _cpu_seconds(arguments, environment) / bases[-1])
        figures[name] = median_of(ratios, UNIT, at_most=None if name in UNLIMITED else TARGET_RATIO)
    return figures, {"import_typer_cpu_seconds": statistics.median(bases)}


def _environment(folder: Path) -> dict[str, str]:
    """Return the commands' environment, with an address where no service runs."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {
        "CALMO_DATA_DIR": str(folder),
        "CALMO_URL": f"http://127.0.0.1:{free_port()}",
        "CALMO_API_KEY": "calmo_nobody_nothing",
        "CALMO_HTTP_PORT": str(free_port()),
    }


async def _cpu_seconds(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run Python to its end, and return its user and system CPU time in seconds."""
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
