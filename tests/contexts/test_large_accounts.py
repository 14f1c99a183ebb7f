"""The first incident of a large account has a part of its past; the rest is read behind it, once."""

import pytest

from calmo_pagerduty.contexts.gathering import change_source, history_source
from calmo_pagerduty.contexts.sources import Source, SourceState
from tests.support.gathering import gathering_system, reasons, states
from tests.support.large_account import large_account
from tests.support.parts import Parts
from tests.support.system import System
from workflows import names

GROWING = (Source.HISTORY, Source.CHANGES)


async def first_and_next(large: System) -> None:
    """The first incident has a part; what is read behind it, the next ones have."""
    cold = await large.gather_context(large.trigger())
    told = states(cold)
    assert {told[source] for source in GROWING} == {SourceState.PARTIAL}
    assert "still being read" in reasons(cold)[Source.HISTORY]
    assert cold.requests <= 150
    memory = large.temporal.get_workflow_handle(names.account_memory_workflow_id(large.connection_id))
    step = await memory.result()
    assert step["is_whole"]
    assert step["incidents"] == len(large.account.incidents)
    assert step["changes"] == len(large.account.belongings.change_events)
    for title in ("Checkout API: latency above 901 ms", "Search: disk of host 104 is full"):
        before = large.requests_so_far()
        warm = await large.gather_context(large.trigger(title))
        assert set(states(warm).values()) == {SourceState.COMPLETE}, reasons(warm)
        assert large.requests_so_far() - before <= 40
        assert warm.assessment.similar


async def test_a_large_account_is_read_piece_by_piece_and_then_costs_little(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small pieces make a small account a large one. On a busy machine a source may be tried again, as if its
    # worker had died, and each attempt reads one more piece: three of them are still but a part.
    monkeypatch.setattr(history_source, "MAX_SYNC_REQUESTS", 3)
    monkeypatch.setattr(change_source, "MAX_SYNC_REQUESTS", 2)
    account = large_account(services=80, dependencies=300, incidents=1_300, changes=900)
    async with gathering_system(parts, account) as large:
        await first_and_next(large)


@pytest.mark.torture
async def test_so_is_one_of_500_services_10000_incidents_and_20000_changes(parts: Parts) -> None:
    async with gathering_system(parts, large_account()) as large:
        await first_and_next(large)
