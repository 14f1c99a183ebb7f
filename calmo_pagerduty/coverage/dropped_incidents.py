"""How many incidents to expect in a gap, from a service's own past by hour of the local week. Pure.

λ(w, h), incidents per hour on weekday w in hour h of the service's zone, is estimated in two steps:

1. From the marginals: each weekday's and each hour's rate relative to the service's overall rate
   λ₀ = n / E, both shrunk to 1 by one incident's worth of evidence:
   f_w = (n_w + 1) / (E_w λ₀ + 1), g_h = (n_h + 1) / (E_h λ₀ + 1), prior m(w, h) ∝ λ₀ f_w g_h,
   scaled so that Σ m E = n.
2. Gamma-Poisson: λ(w, h) = (n(w, h) + 1) / (E(w, h) + 1 / m(w, h)), scaled again so that Σ λ E = n.

E is the exposure in real hours: an hour that the clock repeats counts twice, and maintenance does not count.
A gap's expected incidents are Σ λ · hours of the gap outside of maintenance. With less than four known weeks
there is insufficient data: None.

Source: conjugate gamma prior of a Poisson rate; A. Gelman et al., Bayesian Data Analysis, 3rd ed., §2.6.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from zoneinfo import ZoneInfo

from calmo_pagerduty.coverage.model import ServiceRisk
from calmo_pagerduty.kernel.intervals import Span, subtract, total_seconds
from calmo_pagerduty.kernel.local_bands import DAY, HOUR
from calmo_pagerduty.kernel.local_hours import HOURS_OF_WEEK, hour_of_week, seconds_by_hour_of_week
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName, SectionState, Service

MIN_KNOWN_DAYS = 28
#: How many incidents' worth of evidence the prior has.
PRIOR_STRENGTH = 1.0
UTC_ZONE = ZoneInfo("Etc/UTC")


class IncidentRates:
    """The rates of an account's services, each computed once, when asked for."""

    def __init__(self, snapshot: AccountSnapshot) -> None:
        self._snapshot = snapshot
        self.past = _known_past(snapshot)
        self._starts: dict[str, list[int]] = defaultdict(list)
        self._maintenance: dict[str, list[Span]] = defaultdict(list)
        for incident in snapshot.incidents:
            self._starts[incident.service_id].append(incident.created_at)
        for window in snapshot.maintenance:
            for service_id in window.service_ids:
                self._maintenance[service_id].append(Span(window.start, window.end))
        self._exposures: dict[str, list[int]] = {}
        self._rates: dict[str, list[float]] = {}

    def zone_of(self, service: Service) -> ZoneInfo:
        """Return the zone of a service's hours: of its support hours, the account's, or UTC."""
        own = service.support_hours.time_zone if service.support_hours else None
        return time_zone(own) or time_zone(self._snapshot.time_zone) or UTC_ZONE

    def risk(self, service: Service, gaps: Sequence[Span]) -> ServiceRisk:
        """Return what the service would lose in the gaps, which must not overlap."""
        exposure = self._exposure_spans(service.id)
        seconds = total_seconds(exposure)
        count = len(self._counted(service.id))
        days = round(seconds / DAY, 2)
        if seconds < MIN_KNOWN_DAYS * DAY:
            return ServiceRisk(service.id, None, count, days)
        open_gaps = subtract(gaps, self._maintenance.get(service.id, ()))
        if not open_gaps or count == 0:
            return ServiceRisk(service.id, 0.0, count, days)
        lost = seconds_by_hour_of_week(open_gaps, self.zone_of(service))
        expected = sum(rate * part / HOUR for rate, part in zip(self.rates(service), lost, strict=True))
        return ServiceRisk(service.id, round(expected, 6), count, days)

    def rates(self, service: Service) -> list[float]:
        """Return incidents per hour for each hour of the local week; zeros if there were none."""
        if service.id not in self._rates:
            zone = self.zone_of(service)
            seconds = seconds_by_hour_of_week(self._exposure_spans(service.id), zone)
            counts = [0] * HOURS_OF_WEEK
            for at in self._counted(service.id):
                counts[hour_of_week(at, zone)] += 1
            self._rates[service.id] = hourly_rates(counts, [part / HOUR for part in seconds])
        return self._rates[service.id]

    def _exposure_spans(self, service_id: str) -> list[Span]:
        if self.past is None:
            return []
        return subtract([self.past], self._maintenance.get(service_id, ()))

    def _counted(self, service_id: str) -> list[int]:
        """Return when the service's incidents began, in the time that counts."""
        spans = self._exposure_spans(service_id)
        return [at for at in self._starts.get(service_id, ()) if any(a <= at < b for a, b in spans)]


def hourly_rates(counts: Sequence[int], exposure: Sequence[float]) -> list[float]:
    """Return λ for each of the 168 hours from counts and exposures in hours: see the module's text."""
    total, hours = sum(counts), sum(exposure)
    if total == 0 or hours <= 0:
        return [0.0] * HOURS_OF_WEEK
    overall = total / hours
    days = _factors(counts, exposure, overall, lambda hour: hour // 24)
    clock = _factors(counts, exposure, overall, lambda hour: hour % 24)
    prior = _scaled([overall * days[h // 24] * clock[h % 24] for h in range(HOURS_OF_WEEK)], exposure, total)
    rates = [
        (count + PRIOR_STRENGTH) / (part + PRIOR_STRENGTH / mean)
        for count, part, mean in zip(counts, exposure, prior, strict=True)
    ]
    return _scaled(rates, exposure, total)


def total_risk(risks: Iterable[ServiceRisk]) -> float | None:
    """Return the sum; None if there is none, or if any is unknown."""
    values = [risk.expected for risk in risks]
    if not values or None in values:
        return None
    return round(sum(value for value in values if value is not None), 6)


def _factors(
    counts: Sequence[int], exposure: Sequence[float], overall: float, group: Callable[[int], int]
) -> dict[int, float]:
    numbers: dict[int, float] = defaultdict(float)
    hours: dict[int, float] = defaultdict(float)
    for hour, (count, part) in enumerate(zip(counts, exposure, strict=True)):
        numbers[group(hour)] += count
        hours[group(hour)] += part
    return {key: (numbers[key] + PRIOR_STRENGTH) / (hours[key] * overall + PRIOR_STRENGTH) for key in numbers}


def _scaled(rates: list[float], exposure: Sequence[float], total: float) -> list[float]:
    expected = sum(rate * part for rate, part in zip(rates, exposure, strict=True))
    return [rate * total / expected for rate in rates] if expected > 0 else rates


def _known_past(snapshot: AccountSnapshot) -> Span | None:
    """Return the time whose incidents we all have; None if it is unknown or truncated."""
    section = next((part for part in snapshot.sections if part.name is SectionName.INCIDENTS), None)
    if section is None or section.state is not SectionState.COMPLETE or section.since is None:
        return None
    return Span(section.since, max(section.since, snapshot.taken_at))
