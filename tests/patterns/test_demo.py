"""The demo's account has an alert that flaps, and the advice about it is true."""

from datetime import UTC, datetime
from pathlib import Path

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.patterns.analysis import analyse
from pagerduty_simulator.demo_on_call import FLAPPING
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.furnished_shop import furnished_shop
from tests.support.collecting import collecting_from


async def test_the_demo_s_flapping_alert_is_found_with_a_pause_that_would_have_helped(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=1)
    furnish_for_the_demo(account, incidents=60, days=80, seed=1)
    async with collecting_from(account, database, keyring, tmp_path) as made:
        snapshot = await made.snapshot()
    result = analyse(snapshot, snapshot.taken_at)
    planted = {incident.id for incident in account.incidents.values() if incident.title == FLAPPING}
    [advice] = [row for row in result.metrics["auto_pause"] if row["like"]["id"] in planted]
    # By PagerDuty's side alone: each healed within the pause, and nobody had acted.
    healed = [
        (incident.resolved_at - incident.created_at).total_seconds()
        for incident in account.incidents.values()
        if incident.id in planted and incident.resolved_at is not None
    ]
    assert advice["chosen"]["avoided"] == sum(seconds <= advice["seconds"] for seconds in healed)
    assert advice["chosen"]["acted_on"] == 0
    assert advice["chosen"]["avoided_pages"] >= 10
    assert [row["like"]["id"] in planted for row in result.metrics["flapping"]] == [True]
    [finding] = [finding for finding in result.findings if finding.code == "patterns.auto_pause"]
    assert "Would have avoided" in finding.expected_effect
