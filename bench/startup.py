"""How much CPU a command takes to start, next to importing the library that the command line is made with."""

import asyncio
import os
import resource
import statistics
import sys
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
COMMANDS = (
    ("--help",), ("webhook", "--help"), ("context", "--help"), ("worker", "--help"), ("mcp", "--help"),
    ("issues", "list"), ("issues", "show", "PT4KHLK"), ("tool", "list"), ("webhook", "list"),
    ("context", "PT4KHLK"), ("connection", "list"), ("mcp",),
)  # fmt: skip


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Start each command in turn, and compare each start with an import of typer just before."""
    environment = _environment(folder)
    ratios: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    bases: list[float] = []
    print_progress(f"{len(COMMANDS)} commands, {sizes.starts} times")
    for command in COMMANDS:
        # The first start compiles our modules, if nobody has.
        await _cpu_seconds(("-m", "ingress", *command), environment)
        for _ in range(sizes.starts):
            base = await _cpu_seconds(BASE, environment)
            ratios[command].append(await _cpu_seconds(("-m", "ingress", *command), environment) / base)
            bases.append(base)
    figures = {
        _name(command): median_of(found, UNIT, at_most=TARGET_RATIO) for command, found in ratios.items()
    }
    return figures, {"import_typer_cpu_seconds": statistics.median(bases)}


def _name(command: tuple[str, ...]) -> str:
    return "_".join(part.strip("-") for part in command if part != "PT4KHLK")


def _environment(folder: Path) -> dict[str, str]:
    """No service runs at the address that the commands are given."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return given | {
        "CALMO_DATA_DIR": str(folder),
        "CALMO_URL": f"http://127.0.0.1:{free_port()}",
        "CALMO_API_KEY": "calmo_nobody_nothing",
    }


async def _cpu_seconds(arguments: tuple[str, ...], environment: dict[str, str]) -> float:
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
