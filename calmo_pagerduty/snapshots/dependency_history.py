"""The dependencies of a snapshot: what was read now, and what the snapshot before knows. Pure.

PagerDuty tells the dependencies of one service at a time, and nothing of the past. Each dependency is told
from both its ends, and the end that was read last decides whether it is there. So a history grows from
reading to reading: `model.Dependency` says what its times mean.

A weekly reading of each service takes one request per service; a daily snapshot takes none.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import timedelta

from calmo_pagerduty.snapshots.dependency_model import (
    Dependency,
    ServiceDependencies,
    ServiceKey,
)

#: How long a former dependency is kept.
HISTORY = timedelta(days=365)
Ends = tuple[ServiceKey, ServiceKey]


def merge_dependencies(
    read: Iterable[ServiceDependencies],
    before: Iterable[ServiceDependencies],
    now: int,
    removed: Collection[ServiceKey] = (),
) -> list[ServiceDependencies]:
    """Return the dependencies with their history, by the service that supports.

    `read` holds what each service was told to have, up- and downstream; `removed` are services that are no
    longer there: their dependencies ended by `now`.
    """
    earlier = list(before)
    read_at = {item.service: item.read_at for item in earlier}
    present = {edge.ends: edge for item in earlier for edge in item.supports if edge.gone_at is None}
    gone = [edge for item in earlier for edge in item.supports if edge.gone_at is not None]
    for item in sorted(read, key=lambda item: (item.read_at, item.service)):
        gone += _apply(item, present, read_at.get(item.service))
        read_at[item.service] = max(item.read_at, read_at.get(item.service, 0))
    ended = [ends for ends in present if not frozenset(ends).isdisjoint(removed)]
    gone += [replace(present.pop(ends), gone_at=now) for ends in ended]
    oldest = now - int(HISTORY.total_seconds())
    kept = [*present.values(), *(edge for edge in gone if edge.gone_at is not None and edge.gone_at > oldest)]
    return _by_supporting(kept, {key: at for key, at in read_at.items() if key not in removed})


def _apply(
    item: ServiceDependencies, present: dict[Ends, Dependency], read_before: int | None
) -> list[Dependency]:
    """Change `present` to what the service was told to have; return what is gone."""
    told = {edge.ends for edge in item.supports if item.service in edge.ends}
    for ends in sorted(told):
        known = present.get(ends)
        present[ends] = (
            replace(known, last_seen=item.read_at)
            if known
            else Dependency(*ends, item.read_at, item.read_at, absent_at=read_before)
        )
    touching = [ends for ends in present if item.service in ends and ends not in told]
    return [replace(present.pop(ends), gone_at=item.read_at) for ends in sorted(touching)]


def _by_supporting(edges: Iterable[Dependency], read_at: dict[ServiceKey, int]) -> list[ServiceDependencies]:
    supports: dict[ServiceKey, list[Dependency]] = {service: [] for service in read_at}
    for edge in edges:
        supports.setdefault(edge.supporting, []).append(edge)
    return [
        ServiceDependencies(
            service,
            read_at.get(service, 0),
            tuple(sorted(supports[service], key=lambda edge: (edge.dependent, edge.first_seen))),
        )
        for service in sorted(supports)
    ]
