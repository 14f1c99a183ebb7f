"""Record histories of real runs into tests/histories, for test_replay.py to replay.

    python tests/workflows/record_histories.py            # lists the names
    python tests/workflows/record_histories.py life …     # records these anew
    python tests/workflows/record_histories.py --all

Record a new name when a new path through the workflow appears. Record an existing one anew only when
no run of the older code is open anywhere any more: a history that doesn't replay means that open
incidents would be stuck, and then the code needs `workflow.patched`, not a new recording.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS.parent))

from temporalio.client import Client  # noqa: E402 - after the path is set

from calmo_pagerduty.db.database import Database  # noqa: E402 - after the path is set
from calmo_pagerduty.db.encryption import Keyring  # noqa: E402 - after the path is set
from calmo_pagerduty.processes import free_port  # noqa: E402 - after the path is set
from calmo_pagerduty.temporal.client import DATA_CONVERTER, runtime  # noqa: E402 - after the path is set
from calmo_pagerduty.temporal.dev_server import TemporalDevServer  # noqa: E402 - after the path is set
from tests.support import (  # noqa: E402 - after the path is set
    recorded_actions,
    recorded_contexts,
    recorded_drills,
    recorded_healing,
    recorded_incidents,
    recorded_oncall,
    recorded_rough_nights,
    recorded_tool_calls,
)
from tests.support.gathering import gathering_system  # noqa: E402 - after the path is set
from tests.support.incident_runs import IncidentRuns  # noqa: E402 - after the path is set
from tests.support.parts import Parts  # noqa: E402 - after the path is set
from tests.support.pasts import Past  # noqa: E402 - after the path is set
from tests.support.system import running_system  # noqa: E402 - after the path is set
from workflows import names  # noqa: E402 - after the path is set

SCENARIOS = (
    *recorded_incidents.SCENARIOS,
    *recorded_tool_calls.SCENARIOS,
    *recorded_healing.SCENARIOS,
    *recorded_actions.SCENARIOS,
    *recorded_contexts.SCENARIOS,
    *recorded_oncall.SCENARIOS,
    *recorded_drills.SCENARIOS,
    *recorded_rough_nights.SCENARIOS,
)

HISTORIES = TESTS / "histories"


async def record(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = TemporalDevServer(
            log_file=Path(folder) / "temporal.log",
            port=free_port(),
            search_attributes=names.SEARCH_ATTRIBUTES,
        )
        await server.start()
        # The default identity would put this machine's name into the repository.
        client = await Client.connect(
            server.address, data_converter=DATA_CONVERTER, runtime=runtime(), identity="recorder"
        )
        try:
            for name in wanted:
                await _record_run(name, client, server.address, Path(folder))
        finally:
            await server.stop()
    # Temporal's threads may still be ending: let them.
    await asyncio.sleep(0.05)


async def _record_run(name: str, client: Client, address: str, folder: Path) -> None:
    database = Database(f"sqlite:///{folder / f'{name}.db'}")
    database.migrate()
    keyring = Keyring({"test": bytes(range(32))})
    parts = Parts(client, database, keyring, folder)
    os.environ["TEMPORAL_ADDRESS"] = address
    if name in recorded_incidents.SCENARIOS:
        runs = IncidentRuns(client, database, keyring, task_queue=name)
        ref, run_id = await recorded_incidents.SCENARIOS[name](runs)
        handle = client.get_workflow_handle(ref.workflow_id, run_id=run_id)
    elif name in recorded_actions.SCENARIOS:
        async with running_system(parts, webhooks=True) as system:
            workflow_id, run_id = await recorded_actions.SCENARIOS[name](system)
            handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    elif name in recorded_healing.SCENARIOS:
        async with running_system(parts, past=Past(seed=1), webhooks=True) as system:
            handle = client.get_workflow_handle(await recorded_healing.SCENARIOS[name](system))
    elif name in recorded_contexts.SCENARIOS:
        async with gathering_system(parts) as system:
            handle = client.get_workflow_handle(await recorded_contexts.SCENARIOS[name](system))
    elif name in recorded_oncall.SCENARIOS:
        async with running_system(parts) as system:
            handle = client.get_workflow_handle(await recorded_oncall.SCENARIOS[name](system))
    elif name in recorded_drills.SCENARIOS:
        async with running_system(parts, past=Past(seed=1), webhooks=True) as system:
            handle = client.get_workflow_handle(await recorded_drills.SCENARIOS[name](system))
    elif name in recorded_rough_nights.SCENARIOS:
        async with running_system(parts) as system:
            handle = client.get_workflow_handle(await recorded_rough_nights.SCENARIOS[name](system))
    else:
        async with running_system(parts, working=False, operator_approvals=True) as service:
            handle = client.get_workflow_handle(await recorded_tool_calls.SCENARIOS[name](service, client))
    history = await handle.fetch_history()
    text = json.dumps(_without_places(json.loads(history.to_json())), indent=1)
    (HISTORIES / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{name}: {len(history.events)} events, {len(text)} bytes\n")
    database.close()


def _without_places(value: Any) -> Any:
    """Failures hold stack traces with this machine's paths, and the forwarder connects under this
    machine's name; a replay looks at neither.
    """
    if isinstance(value, dict):
        kept = {key: _without_places(part) for key, part in value.items() if key != "stackTrace"}
        return kept | ({"identity": "recorder"} if "identity" in kept else {})
    return [_without_places(part) for part in value] if isinstance(value, list) else value


def main() -> None:
    parser = argparse.ArgumentParser(description="Record histories for the replay tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--all", action="store_true", help="record every one anew")
    options = parser.parse_args()
    wanted = list(SCENARIOS) if options.all else options.names
    if not wanted or set(wanted) - set(SCENARIOS):
        parser.error(f"say which to record, or --all: {', '.join(SCENARIOS)}")
    asyncio.run(record(wanted))


if __name__ == "__main__":
    main()
