"""A program that runs the on-call analyses on a stored snapshot, and prints what they cost as JSON.

python -m bench.oncall_analyses DATABASE_URL CONNECTION
"""

import asyncio
import json
import resource
import sys
import time
from contextlib import closing

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.snapshots.service import SnapshotReader


def main(url: str, connection_id: str) -> None:
    with closing(Database(url)) as database:
        started = time.process_time()
        snapshot = asyncio.run(SnapshotReader(database).get(EVERYTHING, connection_id))
        seconds = {"load": time.process_time() - started}
        findings = 0
        for name, analyse in ANALYSES.items():
            started = time.process_time()
            findings += len(analyse(snapshot, snapshot.taken_at).findings)
            seconds[name] = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"cpu_seconds": seconds, "peak_megabytes": peak, "findings": findings}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
