"""What is planted into a simulated PagerDuty is found through its REST API, and in placebos nothing is."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from calmo_pagerduty.coverage.analysis import analyse
from calmo_pagerduty.coverage.report import coverage_report
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.findings.model import Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot
from pagerduty_simulator.packs.on_call import ON_CALL_PACKS, OnCallTruth
from tests.support.collecting import collecting_from

#: Each reads whole accounts over HTTP.
pytestmark = pytest.mark.slow

SEEDS: Final = (1, pytest.param(2, marks=pytest.mark.torture))
MANY: Final = range(10, 30)
#: Findings that say that somebody would not be paged, or that something does not do what it was made for.
ALARMS: Final = ("policy_gap", "coverage_cliff", "orphaned_override", "first_level_gap", "rendering_differs")

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


def alarms(snapshot: AccountSnapshot) -> list[Finding]:
    return [finding for finding in analyse(snapshot, snapshot.taken_at).findings if finding.code in ALARMS]


def is_found(snapshot: AccountSnapshot, truth: OnCallTruth) -> bool:
    """Whether the planted fault is found, with its ids and times."""
    found = alarms(snapshot)
    keys = {(finding.code, finding.key.partition(":")[0]) for finding in found}
    match truth.fault:
        case "policy_gap":
            gaps = [f for f in found if (f.code, f.key) == ("policy_gap", truth.policy_id)]
            assert truth.since and truth.until
            span = Span(int(truth.since.timestamp()), int(truth.until.timestamp()))
            return len(gaps) == 1 and gaps[0].at == span and gaps[0].severity is FindingSeverity.CRITICAL
        case "cliff":
            assert truth.since
            at = int(truth.since.timestamp())
            return any(f.at and f.at.start == at for f in found if f.code == "coverage_cliff")
        case "empty_level":
            policies = coverage_report(snapshot, snapshot.taken_at).policies
            levels = next(p.levels for p in policies if p.policy_id == truth.policy_id)
            return [level.number for level in levels if level.is_empty] == [truth.level]
        case "orphaned_override":
            return ("orphaned_override", truth.schedule_id) in keys and any(
                truth.override_id in finding.key for finding in found if truth.override_id
            )
    raise AssertionError(truth.fault)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["policy_gap", "cliff", "empty_level", "orphaned_override"])
async def test_what_was_planted_is_found(snap: Snap, name: str, seed: int) -> None:
    async with snap(name, seed, False) as (snapshot, truth):
        assert is_found(snapshot, truth)


@pytest.mark.parametrize("name", ["policy_gap", "cliff", "orphaned_override"])
async def test_at_most_a_single_placebo_of_three_raises_an_alarm(snap: Snap, name: str) -> None:
    noisy = []
    for seed in range(1, 4):
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [seed] if alarms(snapshot) else []
    assert len(noisy) <= 1, noisy


@pytest.mark.torture
@pytest.mark.parametrize("name", ["policy_gap", "cliff", "empty_level", "orphaned_override"])
async def test_every_planted_fault_is_found_and_19_of_20_placebos_are_silent(snap: Snap, name: str) -> None:
    missed, noisy = [], []
    for seed in MANY:
        async with snap(name, seed, False) as (snapshot, truth):
            missed += [] if is_found(snapshot, truth) else [seed]
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [seed] if alarms(snapshot) else []
    assert missed == []
    assert len(noisy) <= len(MANY) // 20, noisy
