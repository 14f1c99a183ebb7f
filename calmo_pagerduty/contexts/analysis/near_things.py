"""The streams around an incident: changes on its service and upstream, incidents upstream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeAlias

from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_HOPS, Neighbourhood
from calmo_pagerduty.contexts.analysis.streams import (
    DAY,
    MINUTE,
    SKEW,
    Event,
    Stream,
    busyness,
    counted,
    seconds_of,
)
from calmo_pagerduty.contexts.analysis.surroundings import Change, OpenIncident, PastIncident, Surroundings
from calmo_pagerduty.contexts.analysis.title_index import Floats

#: Changes are looked for so long before the incident, and incidents that may be over by then.
CHANGES_BEFORE = DAY
INCIDENTS_BEFORE = 30 * MINUTE
_RESOLVED = "resolved"

AnIncident: TypeAlias = OpenIncident | PastIncident


@dataclass(frozen=True, eq=False)
class Near:
    """Surroundings, as streams. `around_it` None: the incident names no service."""

    around: Surroundings
    around_it: Neighbourhood | None

    @cached_property
    def at(self) -> float:
        """When the incident began, in epoch seconds."""
        return self.around.incident.created_at.timestamp()

    @cached_property
    def hops(self) -> Mapping[str, int]:
        """The incident's service and the suspects, with their hops, the nearest first."""
        if self.around_it is None:
            return {}
        return {self.around_it.service_id: 0, **self.around_it.suspects()}

    @cached_property
    def incidents(self) -> Mapping[str, AnIncident]:
        """All other incidents by id; what is told as it stands now wins."""
        known: dict[str, AnIncident] = {incident.id: incident for incident in self.around.past}
        known.update((incident.id, incident) for incident in self.around.open_incidents)
        known.pop(self.around.incident.id, None)
        return known

    def place_of(self, change: Change) -> str | None:
        """Return the nearest service upstream that the change was on; None where it was elsewhere."""
        known = (service_id for service_id in change.service_ids if service_id in self.hops)
        return min(known, key=lambda service_id: (self.hops[service_id], service_id), default=None)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes near enough in time."""
        return tuple(
            change for change in self.around.changes if -SKEW <= self.lead(change.at) <= CHANGES_BEFORE
        )

    def lead(self, moment: datetime) -> float:
        """Return how many seconds before the incident a moment was."""
        return self.at - moment.timestamp()


def change_streams(near: Near) -> list[Stream]:
    """Return one stream for each service that ever had a change, and one for all that PagerDuty relates
    though it is elsewhere: it picked them from the whole account, so that is their source.
    """
    around = near.around
    seconds = _seconds(around.changes_since, around.now)
    if seconds is None:
        return []
    moments: dict[str, list[datetime]] = defaultdict(list)
    for change in around.changes:
        for service_id in dict.fromkeys(change.service_ids):
            if service_id in near.hops:
                moments[service_id].append(change.at)
    found: dict[str | None, list[Event]] = defaultdict(list)
    for change in near.changes:
        place = near.place_of(change)
        if place is not None or change.reason:
            found[place].append(Event(change.id, change.at, near.lead(change.at)))
    everything = seconds_of(change.at for change in around.changes)
    busy = busyness(everything, near.at, seconds)
    streams = [
        Stream(
            "change",
            service_id,
            near.hops[service_id],
            seconds_of(all_of_it),
            seconds,
            _ordered(found[service_id]),
            busy,
        )
        for service_id, all_of_it in sorted(moments.items())
    ]
    if None in found:
        streams.append(Stream("change", None, MAX_HOPS, everything, seconds, _ordered(found[None]), busy))
    return streams


def incident_streams(near: Near) -> list[Stream]:
    """Return one stream for each suspect that ever had an incident."""
    around = near.around
    seconds = _seconds(around.past_since, around.now)
    if seconds is None:
        return []
    by_service: dict[str, list[AnIncident]] = defaultdict(list)
    for incident in near.incidents.values():
        if near.hops.get(incident.service_id):
            by_service[incident.service_id].append(incident)
    busy = busyness(seconds_of(incident.created_at for incident in near.incidents.values()), near.at, seconds)
    return [
        Stream(
            "incident",
            service_id,
            near.hops[service_id],
            seconds_of(incident.created_at for incident in incidents),
            seconds,
            _ordered(_event(incident, near) for incident in incidents if _is_near(incident, near)),
            busy,
        )
        for service_id, incidents in sorted(by_service.items())
    ]


def past_of_service(near: Near) -> Floats:
    """Return when the service's past incidents began."""
    own = near.around.incident.service
    return seconds_of(
        incident.created_at for incident in near.around.past if own and incident.service_id == own.id
    )


def times_elsewhere(near: Near, kind: str) -> Floats:
    """Return when things of the kind came on services that are neither this one nor up- or downstream."""
    it = near.around_it
    there = {it.service_id, *it.upstream, *it.downstream} if it else set()
    if kind == "change":
        return seconds_of(change.at for change in near.around.changes if there.isdisjoint(change.service_ids))
    return seconds_of(
        incident.created_at for incident in near.incidents.values() if incident.service_id not in there
    )


def _event(incident: AnIncident, near: Near) -> Event:
    return Event(incident.id, incident.created_at, near.lead(incident.created_at))


def _is_near(incident: AnIncident, near: Near) -> bool:
    """Whether it began near the incident, or was open when that began."""
    lead = near.lead(incident.created_at)
    if -SKEW <= lead <= INCIDENTS_BEFORE:
        return True
    if isinstance(incident, OpenIncident):
        return lead > 0 and incident.status != _RESOLVED
    return (
        lead > 0
        and incident.resolved_at is not None
        and incident.resolved_at > near.around.incident.created_at
    )


def _ordered(events: Iterable[Event]) -> tuple[Event, ...]:
    """The least likely by chance comes first."""
    return tuple(sorted(events, key=lambda event: (counted(event.lead), abs(event.lead), event.id)))


def _seconds(since: datetime | None, now: datetime) -> float | None:
    """Return how long the time is over which a rate can be counted; None if it can't."""
    seconds = (now - since).total_seconds() if since else 0.0
    return seconds if seconds > 0 else None
