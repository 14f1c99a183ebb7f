"""Trends and capacity of accounts whose truth is known: planted rises are found, placebos stay clean."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from calmo_pagerduty.findings.codec import result_document
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.oncall.analyses import ANALYSES
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    Section,
    SectionName,
    SectionState,
    Service,
    SupportHours,
    Team,
    Urgency,
)
from calmo_pagerduty.trends.analysis import analyse_capacity, analyse_trends
from calmo_pagerduty.trends.findings import LIMIT_AHEAD, MORE_INCIDENTS, RATE_ROSE
from tests.support.snapshots import DAY, TAKEN_AT, empty_snapshot, small_snapshot, with_section

WEEKS = 52
Rates = Callable[[np.ndarray], np.ndarray]


def _times(random: np.random.Generator, per_week: float, rates: Rates | None = None) -> list[int]:
    """Times of a year of incidents; `rates` gives the share of the full rate at each share of the year."""
    drawn = random.uniform(0, 1, random.poisson(per_week * WEEKS))
    kept = drawn if rates is None else drawn[random.uniform(0, 1, len(drawn)) < rates(drawn)]
    return [int(TAKEN_AT - 364 * DAY + share * 364 * DAY) for share in sorted(kept)]


def _account(times: dict[str, Sequence[int]], base: AccountSnapshot | None = None) -> AccountSnapshot:
    incidents = [
        Incident(f"I{name}{n}", n, None, name, None, Urgency.HIGH, at, at + 1800, "resolved")
        for name, own in times.items()
        for n, at in enumerate(own)
    ]
    services = tuple(
        Service(
            name,
            f"Service {name}",
            None,
            "active",
            None,
            ("T1",),
            SupportHours("America/New_York", (1,), 0, 1),
        )
        for name in times
    )
    return replace(
        base or empty_snapshot(),
        services=services,
        teams=(Team("T1", "Team one"),),
        incidents=tuple(sorted(incidents, key=lambda item: item.id)),
    )


def _codes(result: AnalysisResult, code: str) -> set[str]:
    return {finding.key for finding in result.findings if finding.code == code}


@pytest.fixture(scope="module")
def world() -> tuple[AccountSnapshot, AnalysisResult]:
    random = np.random.default_rng(20)
    times: dict[str, Sequence[int]] = {
        f"PFLAT{n}": _times(random, rate) for n, rate in enumerate((0.3, 1, 3, 8, 20))
    }
    times["PGROWS"] = _times(random, 12, lambda share: 0.15 + 0.85 * share)
    times["PSINKS"] = _times(random, 12, lambda share: 1 - 0.9 * share)
    times["PROSE"] = _times(random, 12, lambda share: np.where(share > 1 - 20 / 364, 1.0, 0.25))
    times["PQUIET"] = []
    snapshot = _account(times)
    return snapshot, analyse_trends(snapshot, TAKEN_AT)


def test_planted_trends_are_found_and_constant_rates_have_no_trend(
    world: tuple[AccountSnapshot, AnalysisResult],
) -> None:
    _, result = world
    verdicts = {row["service_id"]: row["verdict"] for row in result.metrics["services"]}
    assert verdicts["PGROWS"] == "more incidents"
    assert verdicts["PSINKS"] == "fewer incidents"
    assert {verdicts[f"PFLAT{n}"] for n in range(1, 5)} == {"no trend"}
    assert verdicts["PQUIET"] == "insufficient data"
    assert "PGROWS" in _codes(result, MORE_INCIDENTS)
    assert "PSINKS" not in _codes(result, MORE_INCIDENTS)
    assert _codes(result, RATE_ROSE) >= {"PROSE"}
    assert not _codes(result, RATE_ROSE) & {f"PFLAT{n}" for n in range(5)}


def test_every_line_tells_its_number_and_its_interval(world: tuple[AccountSnapshot, AnalysisResult]) -> None:
    _, result = world
    assert result.metrics["definitions"]
    for row in result.metrics["services"]:
        if row["per_week"] is not None:
            assert row["interval"][0] <= row["per_week"] <= row["interval"][1]
            assert row["incidents"] == sum(row["weeks"])
    growing = next(row for row in result.metrics["services"] if row["service_id"] == "PGROWS")
    assert growing["power_law"]["interval"][0] > 1
    assert growing["growth_interval"][0] > 1
    assert growing["time_zone"] == "America/New_York"


def test_a_rerun_and_another_order_of_the_account_s_objects_give_the_same_bytes(
    world: tuple[AccountSnapshot, AnalysisResult],
) -> None:
    snapshot, result = world
    turned = replace(snapshot, incidents=snapshot.incidents[::-1], services=snapshot.services[::-1])
    again = analyse_trends(turned, TAKEN_AT)
    assert json.dumps(result_document(again)) == json.dumps(result_document(result))


def test_incidents_that_are_not_all_known_have_no_trend() -> None:
    snapshot = _account({"PGROWS": _times(np.random.default_rng(1), 12, lambda share: share)})
    for state in (SectionState.PARTIAL, SectionState.FORBIDDEN):
        cut = with_section(snapshot, Section(SectionName.INCIDENTS, state, TAKEN_AT, 1))
        result = analyse_trends(cut, TAKEN_AT)
        assert [row["verdict"] for row in result.metrics["services"]] == ["insufficient data"]
        assert result.metrics["problem"]
        assert not result.findings
        assert result.inputs.truncated or result.inputs.missing_permissions


def test_quiet_months_before_an_account_s_first_incident_make_no_trend() -> None:
    random = np.random.default_rng(7)
    times: dict[str, Sequence[int]] = {
        name: [at for at in _times(random, 3) if at >= TAKEN_AT - 120 * DAY] for name in "ABCDEF"
    }
    assert _codes(analyse_trends(_account(times), TAKEN_AT), MORE_INCIDENTS) == set()


def test_bursts_are_said_to_be_bursts_and_are_no_trend() -> None:
    random = np.random.default_rng(4)
    starts = _times(random, 0.6)
    bursts = sorted(at + 60 * n for at in starts for n in range(int(random.geometric(0.15))))
    [row] = analyse_trends(_account({"PBURST": bursts}), TAKEN_AT).metrics["services"]
    assert row["verdict"] == "no trend"
    assert row["dispersion"]["is_poisson"] is False
    assert row["dispersion"]["ratio"] > 2
    assert row["tests"]["laplace"] is None


def test_hours_of_the_week_are_those_of_the_service_s_zone() -> None:
    # Mondays at 14:30 in UTC: 09:30 or 10:30 in New York.
    monday = TAKEN_AT - TAKEN_AT % DAY
    while (monday // DAY + 3) % 7:
        monday -= DAY
    times = sorted(monday - week * 7 * DAY + 14 * 3600 + 1800 for week in range(50))
    [row] = analyse_trends(_account({"PWEEK": times}), TAKEN_AT).metrics["services"]
    season = row["season"]
    assert season["is_patterned"]
    assert season["busiest_hour_of_week"] == 8
    assert {hour for hour, count in enumerate(season["by_hour_of_week"]) if count} <= {9, 10}


def test_capacity_names_the_limits_the_people_needed_and_the_date_of_a_growing_policy() -> None:
    small = small_snapshot()
    policy = small.policies[0]
    random = np.random.default_rng(5)
    growing = _account({"PGROWS": _times(random, 24, lambda share: 0.1 + 0.9 * share**2)}, small)
    growing = replace(
        growing, services=tuple(replace(item, policy_id=policy.id) for item in growing.services)
    )
    result = analyse_capacity(growing, TAKEN_AT)
    row = next(item for item in result.metrics["policies"] if item["policy_id"] == policy.id)
    assert row["limit"] == 2
    assert row["interval"][0] <= row["incidents_per_shift"] <= row["interval"][1]
    assert (row["people"], row["people_needed"], row["people_over_a_quarter"]) == (1, 4, 1)
    reached = row["limit_reached"]
    assert reached["earliest"] <= reached["expected"]
    assert _codes(result, LIMIT_AHEAD) == {policy.id}
    flat = replace(growing, incidents=_account({"PGROWS": _times(random, 8)}).incidents)
    calm = analyse_capacity(flat, TAKEN_AT).metrics["policies"][0]
    assert calm["limit_reached"] == {"words": "no trend", "expected": None, "earliest": None, "latest": None}
    services = result.metrics["services"]
    assert services[0]["incidents"] > 0
    assert services[0]["alerts"] is None


@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(200), marks=pytest.mark.torture)])
def test_placebo_accounts_stay_clean(seeds: range) -> None:
    """Ten services of constant rates: in at most 5 % of accounts is one said to have a trend."""
    found = 0
    for seed in seeds:
        random = np.random.default_rng([99, seed])
        account = _account({f"P{n:02}": _times(random, float(random.uniform(0.3, 4))) for n in range(10)})
        found += bool(_codes(analyse_trends(account, TAKEN_AT), MORE_INCIDENTS))
    assert found <= max(1, 0.05 * len(seeds))


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(100), marks=pytest.mark.torture)])
def test_growth_is_found_among_constant_rates_in_nine_of_ten_accounts(seeds: range) -> None:
    found = 0
    for seed in seeds:
        random = np.random.default_rng([98, seed])
        times: dict[str, Sequence[int]] = {f"P{n}": _times(random, 2.0) for n in range(4)}
        times["PGROWS"] = _times(random, 6, lambda share: 0.25 + 0.75 * share)
        found += "PGROWS" in _codes(analyse_trends(_account(times), TAKEN_AT), MORE_INCIDENTS)
    assert found >= 0.9 * len(seeds)


def test_both_are_analyses_of_each_run_and_an_empty_account_has_nothing_to_say() -> None:
    for name in ("trends", "capacity"):
        result = ANALYSES[name](empty_snapshot(), TAKEN_AT)
        assert (result.analysis, result.findings) == (name, ())
