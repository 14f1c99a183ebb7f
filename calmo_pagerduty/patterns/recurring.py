"""Recurring groups: kinds of incidents that come again, who resolved them, and how long it took. Pure.

Source of the label: PagerDuty's "Outlier Incident" calls a kind frequent from 20 % of a service's incidents.
"""

from collections import Counter
from dataclasses import dataclass

from calmo_pagerduty.patterns.past import Past, PastIncident, by_service, count_pages, grouped

MIN_INCIDENTS = 3
FREQUENT_SHARE = 0.20
MAX_GROUPS = 50


@dataclass(frozen=True, slots=True)
class RecurringGroup:
    """Incidents of one kind, in order of time. `of` is the number of the service's incidents.

    `resolvers` are the people who resolved them with how often, most often first. `median` and `slow` (90 %)
    are seconds to resolve, of the resolved; None if none is.
    """

    kind: str
    service_id: str
    incidents: tuple[PastIncident, ...]
    of: int
    resolvers: tuple[tuple[str, int], ...]
    median: int | None
    slow: int | None

    @property
    def healed(self) -> int:
        return sum(item.healed_after is not None for item in self.incidents)

    @property
    def resolved(self) -> int:
        return sum(item.end is not None for item in self.incidents)

    @property
    def is_frequent(self) -> bool:
        return len(self.incidents) / self.of >= FREQUENT_SHARE

    @property
    def pages(self) -> int:
        return count_pages(self.incidents)

    @property
    def avoidable_pages(self) -> int:
        """Return the pages of all but the first: those that removing the cause after it had avoided."""
        return count_pages(self.incidents[1:])


def recurring_groups(past: Past) -> tuple[RecurringGroup, ...]:
    """Return the groups, those with the most avoidable pages first."""
    sizes = {service_id: len(items) for service_id, items in by_service(past).items()}
    found = []
    for kind, items in grouped(past.incidents, lambda item: item.incident.kind).items():
        if len(items) < MIN_INCIDENTS:
            continue
        counts = Counter(item.resolver_id for item in items if item.resolver_id is not None)
        lasted = sorted(item.end - item.at for item in items if item.end is not None)
        service_id = items[0].incident.service_id
        found.append(
            RecurringGroup(
                kind,
                service_id,
                items,
                sizes[service_id],
                tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
                quantile(lasted, 0.5),
                quantile(lasted, 0.9),
            )
        )
    ordered = sorted(found, key=lambda group: (-group.avoidable_pages, -len(group.incidents), group.kind))
    return tuple(ordered[:MAX_GROUPS])


def quantile(ordered: list[int], share: float) -> int | None:
    """Return the smallest value that at least this share does not exceed; None of nothing."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
