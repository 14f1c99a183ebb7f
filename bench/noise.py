"""Describe the machine and its load by other programs.

The same Python loop takes up to twice the CPU time when other programs share the cores and their caches.
So absolute figures of two runs can't be compared, only ratios within one run.
"""

import os
import platform
import statistics
import subprocess
import time
from importlib.metadata import version
from typing import Any

import psutil

from bench.figures import rounded
from calmo_pagerduty.temporal.dev_server import find_binary

_REPETITIONS = 15
_ITERATIONS = 150_000


def machine_facts() -> dict[str, Any]:
    server = subprocess.run([find_binary(), "--version"], capture_output=True, text=True, check=True)
    return {
        "cores": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
        "system": platform.platform(),
        "python": platform.python_version(),
        "temporal": server.stdout.strip(),
        "temporalio": version("temporalio"),
        "calmo_pagerduty": version("calmo-pagerduty"),
    }


def calibration() -> dict[str, float]:
    """Time a fixed loop while our processes are idle: median milliseconds, and the machine's load."""
    cpu, wall = [], []
    for _ in range(_REPETITIONS):
        cpu_begun, wall_begun = time.process_time(), time.perf_counter()
        total = 0
        for number in range(_ITERATIONS):
            total += number
        cpu.append((time.process_time() - cpu_begun) * 1e3)
        wall.append((time.perf_counter() - wall_begun) * 1e3)
    return {
        "loop_cpu_ms": rounded(statistics.median(cpu)),
        "loop_wall_ms": rounded(statistics.median(wall)),
        "load_1min": rounded(os.getloadavg()[0]),
    }
