"""For how long each business service was impacted, and by which services. Pure.

A service has failed while it has an open high-urgency incident. A business service is impacted while any
service has failed that it depends on, directly or not: the union of intervals, so that two incidents at once
count once. Times are epoch seconds (UTC), spans half-open.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.dependencies.graph import Direction, ServiceGraph, reached
from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds, union
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    Incident,
    Urgency,
)

Failures = Mapping[ServiceKey, Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one service adds to the impact on a business service.

    `seconds`: it had failed. `alone_seconds`: it alone had failed, so without it this time would be gone.
    """

    service: ServiceKey
    seconds: int
    alone_seconds: int


@dataclass(frozen=True, slots=True)
class BusinessImpact:
    """The impact on a business service in the window. `contributions` come in order of `seconds`."""

    service: ServiceKey
    spans: tuple[Span, ...]
    window: Span
    contributions: tuple[Contribution, ...]

    @property
    def seconds(self) -> int:
        return total_seconds(self.spans)

    @property
    def availability(self) -> float:
        """The share of the window without impact, from 0 to 1."""
        return 1 - self.seconds / self.window.seconds


def failures_of(incidents: Iterable[Incident], window: Span) -> dict[ServiceKey, list[Span]]:
    """Return when each technical service had an open high-urgency incident in the window."""
    spans: dict[ServiceKey, list[Span]] = defaultdict(list)
    for incident in incidents:
        if incident.urgency is Urgency.HIGH:
            end = window.end if incident.resolved_at is None else incident.resolved_at
            key = ServiceKey(ServiceKind.TECHNICAL, incident.service_id)
            spans[key].append(Span(incident.created_at, end))
    failed = {key: union(clip(found, window)) for key, found in spans.items()}
    return {key: failed[key] for key in sorted(failed) if failed[key]}


def impact_on(graph: ServiceGraph, service: ServiceKey, failures: Failures, window: Span) -> BusinessImpact:
    """Return how long the service was impacted by itself and by what it depends on."""
    cone = {service, *reached(graph, service, Direction.UPSTREAM)}
    spans = {key: failures[key] for key in sorted(cone) if failures.get(key)}
    alone = _alone(spans)
    contributions = [
        Contribution(key, total_seconds(found), alone.get(key, 0)) for key, found in spans.items()
    ]
    return BusinessImpact(
        service,
        tuple(union(span for found in spans.values() for span in found)),
        window,
        tuple(sorted(contributions, key=lambda item: (-item.seconds, -item.alone_seconds, item.service))),
    )


def _alone(spans: Failures) -> dict[ServiceKey, int]:
    """Return for how long each service alone had failed; each one's spans are disjoint."""
    turns = sorted(
        (at, is_start, key)
        for key, found in spans.items()
        for span in found
        for at, is_start in ((span.start, True), (span.end, False))
    )
    seconds: dict[ServiceKey, int] = defaultdict(int)
    failed: set[ServiceKey] = set()
    since = 0
    for at, is_start, key in turns:
        if len(failed) == 1:
            seconds[next(iter(failed))] += at - since
        since = at
        (failed.add if is_start else failed.discard)(key)
    return seconds
