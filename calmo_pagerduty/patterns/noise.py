"""Noise: which services page most, and how seldom somebody had to act, with Wilson's bounds. Pure.

Source of the bounds: `estimators.wilson_interval`. Source of the Pareto order: ANSI/ISA-18.2, which ranks the
alarms that make most of the load.
"""

from dataclasses import dataclass

from calmo_pagerduty.patterns.past import Past, PastIncident, by_service, count_pages
from calmo_pagerduty.snapshots.model import Service
from calmo_pagerduty.statistics.estimators import Interval, wilson_interval

#: A service is noisy if even the upper bound of its actionable share lies below this.
NOISY_BELOW = 0.3
MIN_INCIDENTS = 10
#: The services that make this share of the load are the few to look at.
PARETO_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class NoiseRow:
    """A service's load. `cumulative` is the share of the load of this service and all before it.

    `quiet_pages` are pages of incidents on which nobody acted.
    """

    service: Service
    incidents: tuple[PastIncident, ...]
    pages: int
    quiet_pages: int
    actionable: int
    interval: Interval | None
    cumulative: float

    @property
    def is_noisy(self) -> bool:
        return (
            len(self.incidents) >= MIN_INCIDENTS
            and self.interval is not None
            and self.interval.high < NOISY_BELOW
        )


def noise_rows(past: Past) -> tuple[NoiseRow, ...]:
    """Return the services that had incidents, those with the most pages first."""
    found = by_service(past)
    loads = sorted(
        ((service, found[service.id]) for service in past.snapshot.services if service.id in found),
        key=lambda pair: (-count_pages(pair[1]), -len(pair[1]), pair[0].id),
    )
    # Where nobody was paged, incidents are the load.
    weighs_pages = past.pages > 0
    total = past.pages if weighs_pages else len(past.incidents)
    rows, load = [], 0
    for service, items in loads:
        pages, actionable = count_pages(items), sum(item.is_actionable for item in items)
        load += pages if weighs_pages else len(items)
        rows.append(
            NoiseRow(
                service,
                items,
                pages,
                count_pages(item for item in items if not item.is_actionable),
                actionable,
                wilson_interval(actionable, len(items)),
                load / total if total else 0.0,
            )
        )
    return tuple(rows)


def few_that_make_most(rows: tuple[NoiseRow, ...]) -> int:
    """Return how many of the first services make `PARETO_SHARE`; 0 without any."""
    return next((number for number, row in enumerate(rows, 1) if row.cumulative >= PARETO_SHARE - 1e-12), 0)
