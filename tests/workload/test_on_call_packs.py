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

SEEDS: Final = (1, 2)
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


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CODE_OF)
async def test_who_was_made_to_bear_too_much_is_found(snap: Snap, name: str, seed: int) -> None:
    async with snap(name, seed, False) as (snapshot, truth):
        assert is_found(snapshot, truth), [
            (finding.code, finding.key, finding.evidence[0].words) for finding in found_in(snapshot)
        ]


@pytest.mark.parametrize("name", CODE_OF)
async def test_a_placebo_raises_no_alarm(snap: Snap, name: str) -> None:
    async with snap(name, 1, True) as (snapshot, _):
        assert found_in(snapshot) == ()


@pytest.mark.torture
@pytest.mark.parametrize("name", CODE_OF)
async def test_all_twenty_are_found_and_19_placebos_are_silent(snap: Snap, name: str) -> None:
    found, noisy = [], []
    for seed in MANY:
        async with snap(name, seed, False) as (snapshot, truth):
            found += [seed] if is_found(snapshot, truth) else []
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [seed] if found_in(snapshot) else []
    assert found == list(MANY)
    assert len(noisy) <= len(MANY) // 20, noisy
