"""The watch on incidents as they come: durable, the same when repeated, and it opens a finding."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.snapshots.model import Incident, Service, Urgency
from calmo_pagerduty.trends.analysis import analyse_trends
from calmo_pagerduty.trends.watch import RATE_RISES, advance_watches
from calmo_pagerduty.trends.watch_service import RateWatchService
from tests.support.builders import new_id
from tests.support.doors import ACME, rows
from tests.support.snapshots import DAY, empty_snapshot, new_connection

HOUR = 3600


def _trends(connection_id: str, now: int) -> AnalysisResult:
    """A service with about one incident a day, for a year."""
    random = np.random.default_rng(8)
    times = sorted(int(now - share * 364 * DAY) for share in random.uniform(0, 1, 364))
    incidents = tuple(
        Incident(f"I{n:04}", n, None, "PSHOP", None, Urgency.HIGH, at, at + 600, "resolved")
        for n, at in enumerate(times)
    )
    snapshot = empty_snapshot(taken_at=now, time_zone="Etc/UTC", connection_id=connection_id)
    snapshot = replace(
        snapshot, services=(Service("PSHOP", "Shop", None, "active", None),), incidents=incidents
    )
    return analyse_trends(snapshot, now)


def test_a_burst_of_incidents_raises_an_alarm_before_the_day_is_over_and_a_usual_day_none() -> None:
    now = 1_780_272_000
    trends = _trends("con_test", now)
    [rise] = [row["rise"] for row in trends.metrics["services"]]
    usual = advance_watches(trends, None, {"PSHOP": [now + HOUR]}, now + 2 * HOUR)
    assert usual.findings == ()
    burst = [now + HOUR + 60 * n for n in range(30)]
    result = advance_watches(trends, usual, {"PSHOP": burst}, now + 2 * HOUR)
    [finding] = result.findings
    assert finding.code == RATE_RISES
    needed = finding.evidence[0].data["n"]
    assert needed - rise["k"] >= rise["h"] - rise["value"] - 0.1
    assert advance_watches(trends, result, {"PSHOP": burst}, now + 2 * HOUR).metrics == result.metrics


def test_days_one_by_one_and_all_at_once_lead_to_the_same_state() -> None:
    now = 1_780_272_000
    trends = _trends("con_test", now)
    random = np.random.default_rng(9)
    times = {"PSHOP": sorted(int(now + share * 9 * DAY) for share in random.uniform(0, 1, 30))}
    state = None
    for hour in range(0, 9 * 24 + 2, 5):
        state = advance_watches(trends, state, times, now + hour * HOUR)
    assert state is not None
    end = now + 9 * DAY + 2 * HOUR
    assert (
        advance_watches(trends, state, times, end).metrics
        == advance_watches(trends, None, times, end).metrics
    )


def test_false_alarms_come_no_more_often_than_stated() -> None:
    now = 1_780_272_000
    trends = _trends("con_test", now)
    [rise] = [row["rise"] for row in trends.metrics["services"]]
    random = np.random.default_rng(10)
    days, alarms, state = 6000, 0, None
    counts = random.poisson(rise["base_per_day"], days)
    times = [now + day * DAY + n for day, count in enumerate(counts) for n in range(count)]
    # As if it were designed anew, and the same, for ever.
    design = replace(trends, now=trends.now + 10**9)
    seen: set[int] = set()
    for chunk in range(0, days, 20):
        span = [time for time in times if now + (chunk - 1) * DAY <= time < now + (chunk + 21) * DAY]
        for day in range(chunk, chunk + 20):
            state = advance_watches(design, state, {"PSHOP": span}, now + (day + 1) * DAY + 2 * HOUR)
            at = state.metrics["services"][0]["alarm_at"]
            if at is not None and at not in seen:
                seen.add(at)
                alarms += 1
    assert alarms <= 1.8 * days / rise["false_alarm_every_days"]


def _issue(connection_id: str, at: datetime) -> dict[str, object]:
    return {
        "id": new_id("iss_"),
        "connection_id": connection_id,
        "incident_id": new_id("Q"),
        "scope": ACME,
        "title": "An incident",
        "status": "triggered",
        "severity": "warning",
        "service_id": "PSHOP",
        "assignees": [],
        "teams": [],
        "created_at": at,
        "updated_at": at,
        "as_of_seq": 0,
        "needs_reconcile": False,
    }


@pytest.mark.each_database
async def test_an_alarm_opens_one_finding_in_the_inbox_and_a_repeated_sweep_changes_nothing(
    database: Database,
) -> None:
    connection = new_connection(database)
    now = datetime.now(UTC).replace(microsecond=0)
    midnight = now.replace(hour=0, minute=0, second=0)
    await FindingService(database).record(connection, _trends(connection, int(midnight.timestamp())))
    service = RateWatchService(database)
    assert await service.advance(connection, now)
    assert not await service.advance(connection, now)
    began = [max(midnight, now - timedelta(minutes=n)) for n in range(40)]
    issues = [_issue(connection, at) for at in began]
    database.write_blocking(lambda tx: tx.execute(sa.insert(tables.issues), issues))
    assert await service.advance(connection, now)
    assert not await service.advance(connection, now)
    found = [row for row in rows(database, tables.findings) if row.code == RATE_RISES]
    assert [(row.key, row.state) for row in found] == [("PSHOP", "new")]
