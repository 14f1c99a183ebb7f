"""Simulated companies, read as a snapshot: every schedule is proved, only unfair hours get advice."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.scheduling.analysis import analyse
from calmo_pagerduty.scheduling.proof import describe, proof_window, prove
from calmo_pagerduty.snapshots.model import AccountSnapshot
from pagerduty_simulator.packs.on_call import ON_CALL_PACKS
from tests.support.collecting import collecting_from

#: Companies that differ in their schedules, with or without the planted fault.
COMPANIES = (("unfair_hours", False), ("unfair_hours", True), ("cliff", False), ("orphaned_override", True))


def refusals(snapshot: AccountSnapshot) -> Iterator[str]:
    names = {user.id: user.name for user in snapshot.users}
    for schedule in snapshot.schedules:
        if text := describe(prove(schedule, proof_window(snapshot)), schedule, names):
            yield text


@pytest.mark.parametrize(("name", "placebo"), COMPANIES)
async def test_every_schedule_of_a_company_is_proved_and_only_an_unfair_one_gets_advice(
    database: Database, keyring: Keyring, tmp_path: Path, name: str, placebo: bool
) -> None:
    now = datetime.now(UTC)
    account, truth = ON_CALL_PACKS[name](now=lambda: now, seed=1, placebo=placebo)
    async with collecting_from(account, database, keyring, tmp_path) as collecting:
        snapshot = await collecting.snapshot()
    assert snapshot.schedules
    assert list(refusals(snapshot)) == []
    found = analyse(snapshot, snapshot.taken_at).findings
    if truth.fault == "unfair_hours":
        assert [finding.entities[0].id for finding in found] == [truth.schedule_id]
    else:
        assert found == ()
