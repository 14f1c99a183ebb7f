"""A program that runs the on-call analyses on a stored snapshot, and prints what they cost as JSON.

    python -m bench.oncall_analyses DATABASE_URL SNAPSHOT

It does what the product's process for analyses does. The first analysis decodes the snapshot, too.
"""

import asyncio
import json
import resource
import sys
import time
from contextlib import closing

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.oncall.analysis_process_service import analyse_encoded
from calmo_pagerduty.snapshots.service import SnapshotReader


def main(url: str, snapshot_id: str) -> None:
    with closing(Database(url)) as database:
        snapshot = asyncio.run(SnapshotReader(database).get_encoded(snapshot_id))
    seconds, findings = {}, 0
    for name in ANALYSES:
        started = time.process_time()
        findings += len(analyse_encoded(name, snapshot, snapshot.head.taken_at).findings)
        seconds[name] = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump({"cpu_seconds": seconds, "peak_megabytes": peak, "findings": findings}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
