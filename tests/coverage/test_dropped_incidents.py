"""Expected incidents of a gap, from the service's own past by hour of the local week."""

from dataclasses import replace

import pytest

from calmo_pagerduty.coverage.dropped_incidents import IncidentRates, hourly_rates, total_risk
from calmo_pagerduty.coverage.model import ServiceRisk
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    Incident,
    MaintenanceWindow,
    Section,
    SectionName,
    SectionState,
    SupportHours,
)
from tests.support.chance import repeatable
from tests.support.coverage_worlds import DAY, HOUR, NOW, account, at, incident_at, service_of
from tests.support.snapshots import with_section

YEAR = 364
SERVICE = service_of("V1", "P1")


def rates_of(incidents: tuple[Incident, ...], days: int = YEAR, **fields: object) -> IncidentRates:
    snapshot = account(incidents=incidents, services=(SERVICE,), time_zone="Etc/UTC", **fields)
    past = Section(SectionName.INCIDENTS, SectionState.COMPLETE, NOW, 1, since=NOW - days * DAY)
    return IncidentRates(with_section(snapshot, past))


def evenly(count: int) -> tuple[Incident, ...]:
    step = YEAR * DAY // count
    return tuple(incident_at(n, NOW - YEAR * DAY + n * step + 7, "V1") for n in range(count))


def test_the_rates_times_the_exposure_give_the_incidents_that_were() -> None:
    rng = repeatable(1)
    counts = [rng.randrange(3) for _ in range(168)]
    exposure = [rng.uniform(40, 60) for _ in range(168)]
    rates = hourly_rates(counts, exposure)
    assert sum(r * e for r, e in zip(rates, exposure, strict=True)) == pytest.approx(sum(counts))
    assert min(rates) > 0, "an hour without incidents is unlikely to have one, not unable"


def test_even_incidents_are_expected_evenly() -> None:
    """364 incidents in 364 days, an even spread: a day's gap costs one."""
    rates = rates_of(tuple(incident_at(n, NOW - YEAR * DAY + n * 25 * HOUR, "V1") for n in range(349)))
    risk = rates.risk(SERVICE, [Span(NOW, NOW + 7 * DAY)])
    assert risk.expected == pytest.approx(349 / 52, rel=1e-6)
    assert (risk.incidents, risk.exposure_days) == (349, 364.0)


def test_incidents_on_monday_mornings_make_monday_mornings_risky_in_the_services_zone() -> None:
    mondays = tuple(incident_at(n, NOW - 7 * DAY * (n + 1) + 9 * HOUR + 60, "V1") for n in range(50))
    rates = rates_of(mondays)
    morning = rates.risk(SERVICE, [Span(NOW + 9 * HOUR, NOW + 10 * HOUR)]).expected
    evening = rates.risk(SERVICE, [Span(NOW + 3 * DAY + 20 * HOUR, NOW + 3 * DAY + 21 * HOUR)]).expected
    assert morning is not None and evening is not None
    assert 0.7 < morning < 50 / 52, "shrunk to the marginals a little"
    assert evening < 0.005
    tokyo = replace(SERVICE, support_hours=SupportHours("Asia/Tokyo", (1,), 0, DAY - 60))
    same = rates_of(mondays).risk(tokyo, [Span(NOW + 9 * HOUR, NOW + 10 * HOUR)]).expected
    assert same == pytest.approx(morning, rel=0.02), "the same hour by another clock"


def test_maintenance_counts_neither_in_the_past_nor_in_the_gap() -> None:
    half = MaintenanceWindow("M1", NOW - YEAR * DAY, NOW - YEAR // 2 * DAY, ("V1",))
    soon = MaintenanceWindow("M2", NOW, NOW + DAY, ("V1",))
    incidents = tuple(i for i in evenly(728) if i.created_at >= half.end)
    rates = rates_of(incidents, maintenance=(half, soon))
    assert rates.risk(SERVICE, [Span(NOW, NOW + DAY)]).expected == 0.0
    risk = rates.risk(SERVICE, [Span(NOW, NOW + 8 * DAY)])
    assert risk.exposure_days == 182.0
    assert risk.expected == pytest.approx(14, rel=0.05)


def test_a_short_or_an_unknown_past_is_insufficient_data_and_not_zero() -> None:
    gap = [Span(NOW, NOW + DAY)]
    assert rates_of(evenly(364), days=27).risk(SERVICE, gap).expected is None
    unknown = with_section(
        account(services=(SERVICE,)), Section(SectionName.INCIDENTS, SectionState.PARTIAL, NOW, 1, since=0)
    )
    assert IncidentRates(unknown).risk(SERVICE, gap).expected is None
    assert rates_of(()).risk(SERVICE, gap).expected == 0.0, "a year without incidents is known"


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    known, unknown = ServiceRisk("V1", 0.5, 3, 90.0), ServiceRisk("V2", None, 0, 0.0)
    assert total_risk([known, known]) == 1.0
    assert total_risk([known, unknown]) is None
    assert total_risk([]) is None


def test_a_repeated_hour_is_two_hours_of_exposure() -> None:
    zone = "Europe/London"
    service = replace(SERVICE, support_hours=SupportHours(zone, (1,), 0, DAY - 60))
    gap = [Span(at("2026-10-25 00:00", zone), at("2026-10-26 00:00", zone))]
    risk = rates_of(evenly(364 * 24)).risk(service, gap)
    assert risk.expected == pytest.approx(25, rel=0.02), "the day has 25 hours"
