"""Workers as programs of their own, as many as a test wants, with nothing of the caller's surroundings."""

import base64
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from calmo_pagerduty.processes import start_child, stop_child
from tests.support.patience import PROGRAM

WORKER = Path(__file__).with_name("patient_worker.py")
#: The master key of tests' databases, as a setting.
TEST_KEYS = f"test:{base64.b64encode(bytes(range(32))).decode()}"
StartWorker = Callable[[], Awaitable[Process]]


@asynccontextmanager
async def worker_processes(data_dir: Path, address: str, **settings: str) -> AsyncIterator[StartWorker]:
    """Yields what starts one; `address` is Temporal's, the settings go by their names behind CALMO_."""
    environment = worker_environment(data_dir, address, settings)
    async with AsyncExitStack() as stack:

        async def start() -> Process:
            worker = await start_child([sys.executable, str(WORKER)], data_dir / "worker.log", environment)
            stack.push_async_callback(stop_child, worker, PROGRAM)
            return worker

        yield start


def worker_environment(data_dir: Path, address: str, settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name for name in os.environ if name.startswith(("CALMO_", "TEMPORAL_"))}
    own = {"TEMPORAL_ADDRESS": address, "CALMO_DATA_DIR": str(data_dir)}
    return dict.fromkeys(inherited, "") | own | {f"CALMO_{name}": value for name, value in settings.items()}
