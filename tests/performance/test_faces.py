"""Performance over REST, and as the terminal shows it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.performance.report import Grouping
from calmo_pagerduty.snapshots.incident_measures import IncidentMeasures
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, Service, Urgency
from ingress.commands import performance_view
from ingress.commands.performance import By
from tests.support.doors import Doorway, make_key, open_doorway
from tests.support.snapshots import DAY, TAKEN_AT, small_snapshot, store_snapshot

HOUR = 3600


def a_faster_account() -> AccountSnapshot:
    """In the last four weeks the shop's incidents are acknowledged ten times as fast as before."""
    incidents = tuple(
        Incident(
            f"I{n:03}", n, None, "PSHOP", "PPOL", Urgency.HIGH, at, at + HOUR, "resolved", ("PTEAM",), False,
            IncidentMeasures(
                seconds_to_first_ack=60 + n if at >= TAKEN_AT - 28 * DAY else 1200 + n, acknowledgements=1
            ),
        )
        for n, at in enumerate(range(TAKEN_AT - 56 * DAY, TAKEN_AT, DAY))
    )  # fmt: skip
    shop = Service("PSHOP", "Shop <script>", None, "active", "PPOL")
    return small_snapshot(services=(shop,), incidents=incidents)


@pytest.fixture
async def doorway(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


async def test_performance_is_answered_drawn_and_printed(
    doorway: Doorway, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = store_snapshot(database, a_faster_account()).connection_id
    path, key = f"/api/connections/{connection}/performance", make_key(database, ["findings:read"])
    answer = (await doorway.client.get(path, headers=key)).json()
    [row] = answer["metrics"]["groups"]
    assert (row["incidents"], row["incidents_before"]) == (28, 28)
    assert row["acknowledge"]["compared"]["verdict"] == "faster"
    assert row["resolve"]["compared"]["verdict"] == "no difference shown"
    assert row["pagerduty"]["mean_seconds_to_resolve"] == HOUR
    for by, name in (("team", "Shop"), ("policy", "Shop"), ("account", "All incidents")):
        grouped = (await doorway.client.get(path, params={"by": by}, headers=key)).json()
        assert [group["name"] for group in grouped["metrics"]["groups"]] == [name]
    nobodys = (await doorway.client.get(path, params={"service": "PNONE"}, headers=key)).json()
    assert nobodys["metrics"]["groups"] == []
    picture = await doorway.client.get(f"{path}/plot.svg", params={"milestone": "resolve"}, headers=key)
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "<script>" not in picture.text
    backwards = {"since": "2026-06-01T00:00:00Z", "until": "2026-05-01T00:00:00Z"}
    assert (await doorway.client.get(path, params=backwards, headers=key)).status_code == 400
    performance_view.print_performance(answer)
    printed = capsys.readouterr().out
    for words in ("Time to acknowledge", "faster (q =", "28 of 28", "PagerDuty's own metrics", "Up time"):
        assert words in printed


def test_the_command_groups_by_what_the_analysis_does() -> None:
    assert [str(by) for by in By] == [str(grouping) for grouping in Grouping]
