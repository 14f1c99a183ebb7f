"""What there was too much of, in words: nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from calmo_pagerduty.contexts.analysis import facts
from calmo_pagerduty.contexts.analysis.dependency_graph import MOST_EDGES
from calmo_pagerduty.contexts.analysis.near_things import Near
from calmo_pagerduty.contexts.analysis.surroundings import Change, PastIncident, Surroundings

#: More are not looked at: the newest are, and rates are counted over the time that they reach back.
MOST_PAST = 20_000
MOST_CHANGES = 50_000


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


def bounded(around: Surroundings) -> Surroundings:
    """Return no more than can be looked at in good time, newest first, each once, without this incident."""
    past = sorted(_once(around.past), key=_of_past, reverse=True)
    past = [incident for incident in past if incident.id != around.incident.id]
    changes = sorted(_once(around.changes), key=_of_change, reverse=True)
    return replace(
        around,
        past=tuple(past[:MOST_PAST]),
        past_since=_since(around.past_since, [incident.created_at for incident in past], MOST_PAST),
        changes=tuple(changes[:MOST_CHANGES]),
        changes_since=_since(around.changes_since, [change.at for change in changes], MOST_CHANGES),
        open_incidents=tuple(_once(around.open_incidents)),
        alerts=tuple(_once(around.alerts)),
    )


def omissions(around: Surroundings, near: Near, changes_near: int) -> tuple[str, ...]:
    """Return what was left out of the surroundings as they came, and out of the document."""
    seen, it = near.around, near.around_it
    rows = [
        ("past incidents were looked at", MOST_PAST, len(around.past)),
        ("changes were looked at", MOST_CHANGES, len(around.changes)),
        ("dependencies were looked at", MOST_EDGES, len(around.dependencies.edges)),
        ("alerts are listed", facts.MOST_ALERTS, len(seen.alerts)),
        ("notes are listed", facts.MOST_NOTES, len(seen.notes)),
        ("changes near the incident are listed", facts.MOST_CHANGES, changes_near),
        ("incidents around it are listed", facts.MOST_OTHERS, len(seen.open_incidents)),
        ("people on call are listed", facts.MOST_ON_CALL, len(seen.on_call)),
        ("maintenance windows are listed", facts.MOST_MAINTENANCE, len(seen.maintenance)),
    ]
    if it is not None:
        rows += [
            ("services upstream are listed", facts.MOST_REACHED, len(it.upstream)),
            ("services downstream are listed", facts.MOST_REACHED, len(it.downstream)),
            ("dependencies around it are listed", facts.MOST_EDGES_SHOWN, len(it.edges)),
            ("circles of dependencies are listed", facts.MOST_CYCLES, len(it.cycles)),
        ]
    return tuple(f"{most:,} of {count:,} {words}" for words, most, count in rows if count > most)


def _once(things: Iterable[T]) -> list[T]:
    """Leave out what was read twice, as pages that move while they are read bring it."""
    return list({thing.id: thing for thing in things}.values())


def _of_past(incident: PastIncident) -> tuple[datetime, str]:
    return incident.created_at, incident.id


def _of_change(change: Change) -> tuple[datetime, str]:
    return change.at, change.id


def _since(since: datetime | None, newest_first: Sequence[datetime], most: int) -> datetime | None:
    if since is None or len(newest_first) <= most:
        return since
    return max(since, newest_first[most - 1])
