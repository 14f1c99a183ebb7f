"""Unfair hours and pages that are planted into a simulated PagerDuty are found; placebos raise no alarm."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.findings.model import Finding
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload import findings as codes
from calmo_pagerduty.workload.analysis import analyse
from pagerduty_simulator.packs.on_call import ON_CALL_PACKS, OnCallTruth
from tests.support.collecting import collecting_from

SEEDS: Final = range(1, 6)
MANY: Final = range(30, 50)
CODE_OF: Final = {"unfair_hours": codes.PERSON_HOURS, "unfair_pages": codes.PERSON_PAGES}

Snap = Callable[[str, int, bool], contextlib.AbstractAsyncContextManager[tuple[AccountSnapshot, OnCallTruth]]]


@pytest.fixture
def snap(database: Database, keyring: Keyring, tmp_path: Path) -> Snap:
    @contextlib.asynccontextmanager
    async def take(name: str, seed: int, placebo: bool) -> AsyncIterator[tuple[AccountSnapshot, OnCallTruth]]:
        now = datetime.now(UTC)
        account, truth = ON_CALL_PACKS[name](now=lambda: now, seed=seed, placebo=placebo)
        async with collecting_from(account, database, keyring, tmp_path) as collecting:
            yield await collecting.snapshot(), truth

    return take


def found_in(snapshot: AccountSnapshot) -> tuple[Finding, ...]:
    return analyse(snapshot, snapshot.taken_at).findings


def is_found(snapshot: AccountSnapshot, truth: OnCallTruth) -> bool:
    """Whether the person who bears too much is named, by the schedule, and nobody else is."""
    named = [finding for finding in found_in(snapshot) if finding.code == CODE_OF.get(truth.fault or "")]
    return {tuple(finding.key.split(":")[:2]) for finding in named} == {(truth.schedule_id, truth.user_id)}


@pytest.mark.parametrize("name", CODE_OF)
async def test_who_was_made_to_bear_too_much_is_found(snap: Snap, name: str) -> None:
    """The accounts' past ends now, so each run draws others: chance may hide a single one."""
    found = []
    for seed in SEEDS:
        async with snap(name, seed, False) as (snapshot, truth):
            found += [seed] if is_found(snapshot, truth) else []
    assert len(found) >= len(SEEDS) // 2, found


@pytest.mark.parametrize("name", CODE_OF)
async def test_placebos_raise_hardly_an_alarm(snap: Snap, name: str) -> None:
    noisy = []
    for seed in SEEDS:
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [seed] if found_in(snapshot) else []
    assert len(noisy) <= len(SEEDS) // 2, noisy


@pytest.mark.torture
@pytest.mark.parametrize("name", CODE_OF)
async def test_19_of_twenty_are_found_and_19_placebos_are_silent(snap: Snap, name: str) -> None:
    found, noisy = [], []
    for seed in MANY:
        async with snap(name, seed, False) as (snapshot, truth):
            found += [seed] if is_found(snapshot, truth) else []
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [seed] if found_in(snapshot) else []
    assert len(found) >= len(MANY) - len(MANY) // 20, found
    assert len(noisy) <= len(MANY) // 20, noisy
