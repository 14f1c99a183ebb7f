"""The streams around an incident: changes on its service and upstream, incidents upstream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_HOPS, Neighbourhood
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Change, OpenIncident, PastIncident
from calmo_pagerduty.contexts.analysis.streams import (
    CLOCK_SKEW,
    DAY,
    MINUTE,
    EventStream,
    StreamEvent,
    effective_lead,
    epoch_seconds,
    hourly_rate_ratio,
    observed_seconds,
)
from calmo_pagerduty.contexts.analysis.title_index import Floats

#: How long before the incident a change, or an incident that is over by then, may be a candidate (seconds).
CHANGE_WINDOW = DAY
INCIDENT_WINDOW = 30 * MINUTE
RESOLVED = "resolved"
#: A rate is counted over an hour at least (seconds).
MIN_OBSERVED = 60 * MINUTE

AnyIncident: TypeAlias = OpenIncident | PastIncident


@dataclass(frozen=True, eq=False)
class CorrelationWindow:
    """The assessment's inputs, seen from the incident's start. `neighbourhood` is None if the incident
    names no service.
    """

    inputs: AssessmentInput
    neighbourhood: Neighbourhood | None

    @cached_property
    def at(self) -> float:
        """The incident's start, in epoch seconds."""
        return self.inputs.incident.created_at.timestamp()

    @cached_property
    def hops(self) -> Mapping[str, int]:
        """Hops of the incident's service (0) and of the suspects, the nearest first."""
        if self.neighbourhood is None:
            return {}
        return {self.neighbourhood.service_id: 0, **self.neighbourhood.suspects()}

    @cached_property
    def incidents(self) -> Mapping[str, AnyIncident]:
        """All other incidents by id; the open incident wins over the past one, as it is newer."""
        others: dict[str, AnyIncident] = {incident.id: incident for incident in self.inputs.past}
        others.update((incident.id, incident) for incident in self.inputs.open_incidents)
        others.pop(self.inputs.incident.id, None)
        return others

    @cached_property
    def observed(self) -> Mapping[str, float]:
        """By kind of events, the seconds for which there is data; a kind that nobody read is missing."""
        inputs, now = self.inputs, self.inputs.now.timestamp()
        known = {
            "change": (inputs.changes_since, epoch_seconds(change.at for change in inputs.changes)),
            "incident": (
                inputs.past_since,
                epoch_seconds(incident.created_at for incident in self.incidents.values()),
            ),
        }
        return {
            kind: min(asked, observed_seconds(times, self.at, now))
            for kind, (since, times) in known.items()
            if since is not None and (asked := now - since.timestamp()) > 0
        }

    def observed_of(self, kind: str, service_id: str) -> float:
        """Return the seconds for which there is data of this kind on the service: not before it was made."""
        node = self.inputs.dependencies.nodes.get(service_id)
        if node is None or node.created_at is None:
            return self.observed[kind]
        age = (self.inputs.now - node.created_at).total_seconds()
        return min(self.observed[kind], max(age, MIN_OBSERVED))

    def nearest_service(self, change: Change) -> str | None:
        """Return the nearest of the change's services: this one or one upstream; None if it has neither."""
        candidates = (service_id for service_id in change.service_ids if service_id in self.hops)
        return min(candidates, key=lambda service_id: (self.hops[service_id], service_id), default=None)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes that are near enough in time."""
        return tuple(
            change for change in self.inputs.changes if -CLOCK_SKEW <= self.lead(change.at) <= CHANGE_WINDOW
        )

    def lead(self, moment: datetime) -> float:
        """Return how many seconds before the incident a moment was; negative after its start."""
        return self.at - moment.timestamp()


def change_streams(window: CorrelationWindow) -> list[EventStream]:
    """Return one stream for each service (this one and suspects) that ever had a change, and one for the
    changes elsewhere that PagerDuty relates: it picked them from the whole account, so that is their rate.
    """
    inputs = window.inputs
    seconds = window.observed.get("change")
    if seconds is None:
        return []
    moments: dict[str, list[datetime]] = defaultdict(list)
    for change in inputs.changes:
        for service_id in dict.fromkeys(change.service_ids):
            if service_id in window.hops:
                moments[service_id].append(change.at)
    near: dict[str | None, list[StreamEvent]] = defaultdict(list)
    for change in window.changes:
        nearest = window.nearest_service(change)
        if nearest is not None or change.reason:
            near[nearest].append(StreamEvent(change.id, change.at, window.lead(change.at)))
    everything = epoch_seconds(change.at for change in inputs.changes)
    busy = hourly_rate_ratio(everything, window.at, seconds)
    streams = [
        EventStream(
            "change",
            service_id,
            window.hops[service_id],
            epoch_seconds(times),
            window.observed_of("change", service_id),
            _by_chance(near[service_id]),
            busy,
        )
        for service_id, times in sorted(moments.items())
    ]
    if None in near:
        streams.append(
            EventStream("change", None, MAX_HOPS, everything, seconds, _by_chance(near[None]), busy)
        )
    return streams


def incident_streams(window: CorrelationWindow) -> list[EventStream]:
    """Return one stream for each suspect that ever had an incident."""
    seconds = window.observed.get("incident")
    if seconds is None:
        return []
    by_service: dict[str, list[AnyIncident]] = defaultdict(list)
    for incident in window.incidents.values():
        if window.hops.get(incident.service_id):
            by_service[incident.service_id].append(incident)
    busy = hourly_rate_ratio(
        epoch_seconds(incident.created_at for incident in window.incidents.values()), window.at, seconds
    )
    return [
        EventStream(
            "incident",
            service_id,
            window.hops[service_id],
            epoch_seconds(incident.created_at for incident in incidents),
            window.observed_of("incident", service_id),
            _by_chance(_event(incident, window) for incident in incidents if _is_in_window(incident, window)),
            busy,
        )
        for service_id, incidents in sorted(by_service.items())
    ]


def service_incident_times(window: CorrelationWindow) -> Floats:
    """Return when the service's past incidents began, in sorted epoch seconds."""
    own = window.inputs.incident.service
    return epoch_seconds(
        incident.created_at for incident in window.inputs.past if own and incident.service_id == own.id
    )


def unrelated_times(window: CorrelationWindow, kind: str) -> Floats:
    """Return when events of the kind came on services that are neither this one nor up- or downstream."""
    neighbourhood = window.neighbourhood
    connected = (
        {neighbourhood.service_id, *neighbourhood.upstream, *neighbourhood.downstream}
        if neighbourhood
        else set()
    )
    if kind == "change":
        return epoch_seconds(
            change.at for change in window.inputs.changes if connected.isdisjoint(change.service_ids)
        )
    return epoch_seconds(
        incident.created_at for incident in window.incidents.values() if incident.service_id not in connected
    )


def _event(incident: AnyIncident, window: CorrelationWindow) -> StreamEvent:
    return StreamEvent(incident.id, incident.created_at, window.lead(incident.created_at))


def _is_in_window(incident: AnyIncident, window: CorrelationWindow) -> bool:
    """Return whether it began near this incident, or was open when this one began."""
    lead = window.lead(incident.created_at)
    if -CLOCK_SKEW <= lead <= INCIDENT_WINDOW:
        return True
    if isinstance(incident, OpenIncident):
        return lead > 0 and incident.status != RESOLVED
    return (
        lead > 0
        and incident.resolved_at is not None
        and incident.resolved_at > window.inputs.incident.created_at
    )


def _by_chance(events: Iterable[StreamEvent]) -> tuple[StreamEvent, ...]:
    """Sort events, the least likely by chance first."""
    return tuple(sorted(events, key=lambda event: (effective_lead(event.lead), abs(event.lead), event.id)))
