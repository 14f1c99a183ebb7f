"""`python -m bench [NAME …] [--quick]`: run all or the named measurements; prints JSON. See `--help`."""

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from bench import (
    ack,
    context,
    cost,
    dashboard,
    door,
    latency,
    limits,
    oncall,
    open_incidents,
    recovery,
    simulator,
    startup,
    storm,
    throughput,
    tools,
)
from bench.figures import Figures, rounded
from bench.noise import calibration, machine_facts
from bench.parts import tail_of_logs
from bench.progress import print_progress
from bench.sizes import FULL, QUICK, Sizes

Measurement = Callable[[Path, Sizes], Awaitable[tuple[Figures, dict[str, Any]]]]

MEASUREMENTS: dict[str, Measurement] = {
    "ack": ack.measure,
    "door": door.measure,
    "throughput": throughput.measure,
    "latency": latency.measure,
    "cost": cost.measure,
    "open": open_incidents.measure,
    "storm": storm.measure,
    "tools": tools.measure,
    "context": context.measure,
    "oncall": oncall.measure,
    "dashboard": dashboard.measure,
    "startup": startup.measure,
    "limits": limits.measure,
    "recovery": recovery.measure,
    "simulator": simulator.measure,
}


async def run(names: list[str], sizes: Sizes) -> dict[str, Any]:
    """Run the measurements in sequence. If one fails, its place holds the error, and the others still run."""
    measured: dict[str, Any] = {}
    for name in names:
        print_progress(f"== {name}")
        started, before = time.monotonic(), calibration()
        with tempfile.TemporaryDirectory(prefix="calmo-bench-") as folder:
            try:
                figures, details = await MEASUREMENTS[name](Path(folder), sizes)
            # Whatever fails is printed and stands in the result; the other measurements still count.
            except Exception as error:
                traceback.print_exc()
                print_progress(tail_of_logs(Path(folder)))
                measured[name] = {"error": f"{type(error).__name__}: {error}"}
                continue
        measured[name] = {
            "figures": {key: figure.as_json() for key, figure in figures.items()},
            "details": details,
            "noise": {"before": before, "after": calibration()},
            "seconds": rounded(time.monotonic() - started),
            "holds": all(figure.is_met for figure in figures.values()),
        }
        for key, figure in figures.items():
            print_progress(f"   {key}: {figure.as_json()}")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description="Measure speed and cost; prints JSON.")
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, "all"], default="all")
    parser.add_argument("--quick", action="store_true", help="a few minutes less, and noisier")
    arguments = parser.parse_args()
    selected = [arguments.what] if isinstance(arguments.what, str) else arguments.what
    names = list(MEASUREMENTS) if "all" in selected else selected
    # Measure the product's defaults, not the settings of the caller's shell.
    for name in [name for name in os.environ if name.startswith(("CALMO_", "TEMPORAL_"))]:
        del os.environ[name]
    started_at = datetime.now(UTC)
    measured = uvloop.run(run(names, QUICK if arguments.quick else FULL))
    failed = any("error" in result for result in measured.values())
    document = {
        "begun_at": started_at.isoformat(timespec="seconds"),
        "quick": arguments.quick,
        "machine": machine_facts(),
        "measurements": measured,
        "holds": not failed and all(result["holds"] for result in measured.values()),
    }
    print(json.dumps(document, indent=2))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
