"""A program that runs the analyses on a stored snapshot, and prints what they cost as JSON.

    python -m bench.oncall_analyses DATABASE_URL SNAPSHOT

It does what the product's process for analyses does: first those of on-call, whose cost is measured by
themselves, then the others, the first picture of the map, and a weekly report. The first analysis decodes
the snapshot, too.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TypeVar

from calmo_pagerduty.coverage import analysis as coverage, readiness_analysis as readiness
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.dependencies.collapsing import collapse
from calmo_pagerduty.dependencies.picture import map_figure
from calmo_pagerduty.dependencies.service_map import MapFilter, open_at, service_map
from calmo_pagerduty.dependencies.text_forms import map_description
from calmo_pagerduty.escalation import lint as escalation, response_analysis as response
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.oncall.analysis_process_service import analyse_encoded
from calmo_pagerduty.performance.report import Question
from calmo_pagerduty.reports.model import MadeReport, ReportInputs, ReportKind
from calmo_pagerduty.reports.rendering import report_html
from calmo_pagerduty.reports.sections import make_sections
from calmo_pagerduty.scheduling import analysis as scheduling
from calmo_pagerduty.snapshots.codec import decode_snapshot
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.workload import analysis as workload

ON_CALL = (
    coverage.ANALYSIS,
    readiness.ANALYSIS,
    escalation.ANALYSIS,
    response.ANALYSIS,
    workload.ANALYSIS,
    scheduling.ANALYSIS,
)
WEEK = 7 * 86_400

Made = TypeVar("Made")


def main(url: str, snapshot_id: str) -> None:
    with closing(Database(url)) as database:
        encoded = asyncio.run(SnapshotReader(database).get_encoded(snapshot_id))
    now, findings = encoded.head.taken_at, 0
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for part, names in (("on_call", ON_CALL), ("all", tuple(ANALYSES.keys() - set(ON_CALL)))):
        for name in sorted(names):
            result, seconds[name] = _timed(partial(analyse_encoded, name, encoded, now))
            findings += len(result.findings)
        peaks[part] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    snapshot = decode_snapshot(encoded.head, encoded.parts, dict(encoded.blobs))
    _, map_seconds = _timed(lambda: _map(snapshot, now))
    _, report_seconds = _timed(lambda: _weekly_report(snapshot, now))
    json.dump(
        {
            "cpu_seconds": seconds,
            "on_call_cpu_seconds": sum(seconds[name] for name in ON_CALL),
            "map_cpu_seconds": map_seconds,
            "report_cpu_seconds": report_seconds,
            "peak_megabytes": peaks,
            "findings": findings,
        },
        sys.stdout,
    )


def _timed(make: Callable[[], Made]) -> tuple[Made, float]:
    started = time.process_time()
    return make(), time.process_time() - started


def _map(snapshot: AccountSnapshot, now: int) -> str:
    shown = service_map(snapshot, now, open_at(snapshot.incidents, now), MapFilter())
    teams = {team.id: team.name for team in snapshot.teams}
    return map_figure(collapse(shown, teams), "Services", map_description(shown)).document()


def _weekly_report(snapshot: AccountSnapshot, now: int) -> str:
    kind, window = ReportKind.WEEKLY_OPERATIONS, Span(now - WEEK, now)
    inputs = ReportInputs(snapshot, now, Question(window), (), (), ())
    return report_html(
        MadeReport(
            kind=kind,
            connection_id=snapshot.connection_id,
            connection_name="bench",
            scope="",
            author="bench",
            made_at=now,
            since=window.start,
            until=window.end,
            snapshot_id=snapshot.id,
            asked="",
            sections=make_sections(kind, inputs),
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
