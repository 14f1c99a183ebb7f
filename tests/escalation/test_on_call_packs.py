"""What is planted into a simulated PagerDuty is found through its REST API, and in placebos nothing is."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.escalation import response_analysis
from calmo_pagerduty.escalation.lint import analyse
from calmo_pagerduty.findings.model import Finding
from calmo_pagerduty.snapshots.model import AccountSnapshot
from pagerduty_simulator.packs.on_call import ON_CALL_PACKS, OnCallTruth
from tests.support.collecting import collecting_from

#: Each reads whole accounts over HTTP.
pytestmark = pytest.mark.slow

MANY: Final = range(10, 30)
#: The code that must be found for each planted fault.
CODE_OF_FAULT: Final[Mapping[str, str]] = {
    "never_paged": "never_paged_rule",
    "dead_end": "escalation_path_exhausted",
    "same_person": "same_person_on_successive_levels",
    "only_human": "single_person_overall",
    "ping_pong": "delegation_ping_pong",
}

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


def found_in(snapshot: AccountSnapshot) -> list[Finding]:
    results = (analyse(snapshot, snapshot.taken_at), response_analysis.analyse(snapshot, snapshot.taken_at))
    return [finding for result in results for finding in result.findings]


def is_found(snapshot: AccountSnapshot, truth: OnCallTruth) -> bool:
    """Return whether the planted fault is found, and its finding names the policy, person and incidents."""
    assert truth.fault is not None
    named = {truth.policy_id, truth.user_id, *truth.incident_ids} - {None}
    for finding in found_in(snapshot):
        ids = {entity.id for entity in finding.entities}
        ids |= {str(id) for evidence in finding.evidence for id in evidence.data.get("incident_ids", [])}
        if finding.code == CODE_OF_FAULT[truth.fault] and named <= ids:
            return True
    return False


@pytest.mark.parametrize("name", CODE_OF_FAULT)
async def test_what_was_planted_is_found(snap: Snap, name: str) -> None:
    async with snap(name, 1, False) as (snapshot, truth):
        assert is_found(snapshot, truth), [(f.code, f.key) for f in found_in(snapshot)]


@pytest.mark.parametrize("name", ["never_paged", "dead_end"])
async def test_at_most_a_single_placebo_of_three_has_a_finding(snap: Snap, name: str) -> None:
    noisy = []
    for seed in range(1, 4):
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [(seed, f.code) for f in found_in(snapshot)][:1]
    assert len(noisy) <= 1, noisy


@pytest.mark.torture
@pytest.mark.parametrize("name", CODE_OF_FAULT)
async def test_every_planted_fault_is_found_and_19_of_20_placebos_are_silent(snap: Snap, name: str) -> None:
    missed, noisy = [], []
    for seed in MANY:
        async with snap(name, seed, False) as (snapshot, truth):
            missed += [] if is_found(snapshot, truth) else [seed]
        async with snap(name, seed, True) as (snapshot, _):
            noisy += [(seed, f.code) for f in found_in(snapshot)][:1]
    assert missed == []
    assert len(noisy) <= len(MANY) // 20, noisy
