"""Trends and capacity over REST, and as the terminal shows them."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, Service, SupportHours, Urgency
from ingress.commands import trend_view
from tests.support.doors import Doorway, make_key, open_doorway
from tests.support.snapshots import DAY, TAKEN_AT, small_snapshot, store_snapshot

NOW = "2026-06-01T12:00:00Z"


def weekly_account() -> AccountSnapshot:
    """The shop's incidents come on working days, ten times as often as at weekends."""
    random = np.random.default_rng(6)
    small = small_snapshot()
    days = range(TAKEN_AT - 364 * DAY, TAKEN_AT, DAY)
    times = [
        at + int(random.uniform(0, DAY))
        for at in days
        for _ in range(int(random.poisson(0.6 if (at // DAY + 3) % 7 >= 5 else 6)))
    ]
    hours = SupportHours("Etc/UTC", (1, 2, 3, 4, 5), 0, 86_399)
    shop = Service("PSHOP", "Shop <script>", None, "active", "PPOL", support_hours=hours)
    incidents = tuple(
        Incident(f"I{n:05}", n, None, "PSHOP", "PPOL", Urgency.HIGH, at, at + 600, "resolved")
        for n, at in enumerate(times)
        if at < TAKEN_AT
    )
    return small_snapshot(services=(shop,), incidents=incidents, teams=small.teams)


@pytest.fixture
async def doorway(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


async def test_trends_and_capacity_are_answered_drawn_and_printed(
    doorway: Doorway, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = store_snapshot(database, weekly_account()).connection_id
    base, key, asked = f"/api/connections/{connection}", make_key(database, ["findings:read"]), {"now": NOW}
    trends = (await doorway.client.get(f"{base}/trends", params=asked, headers=key)).json()
    [row] = trends["metrics"]["services"]
    assert row["verdict"] == "no trend"
    assert row["season"]["is_patterned"]
    day = next(forecast for forecast in row["forecasts"] if forecast["horizon"] == "next day")
    assert day["is_shown"], day["reason"]
    assert day["interval"][0] <= day["median"] <= day["interval"][1]
    for number in range(4):
        params = {**asked, "service": "PSHOP", "plot": str(number)}
        picture = await doorway.client.get(f"{base}/trends/plot.svg", params=params, headers=key)
        assert picture.headers["content-type"].startswith("image/svg+xml")
        assert "<script>" not in picture.text
    missing = {**asked, "service": "PNONE"}
    assert (
        await doorway.client.get(f"{base}/trends/plot.svg", params=missing, headers=key)
    ).status_code == 404
    capacity = (await doorway.client.get(f"{base}/capacity", params=asked, headers=key)).json()
    assert (
        await doorway.client.get(f"{base}/capacity/plot.svg", params=asked, headers=key)
    ).status_code == 200
    trend_view.print_trends(trends, is_single=True)
    trend_view.print_capacity(capacity)
    printed = capsys.readouterr().out
    for words in ("no trend", "next day", "incidents per week", "Calibration", "Escalation policies", "80 %"):
        assert words in printed
