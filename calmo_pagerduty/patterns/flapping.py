"""Alerts that flap: spells in which one kind comes, resolves itself and comes again within minutes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from calmo_pagerduty.kernel.flapping import (
    MIN_FLAP_CYCLES,
    RETRIGGER_WINDOW,
    FlapCycle,
    count_flap_cycles,
)
from calmo_pagerduty.patterns.past import Past, PastIncident, by_kind, count_pages

_RETRIGGER = int(RETRIGGER_WINDOW.total_seconds())


@dataclass(frozen=True, slots=True)
class FlappingAlert:
    """A kind of incident that flapped. `spells` are runs of incidents, each minutes after the one before."""

    kind: str
    service_id: str
    incidents: tuple[PastIncident, ...]
    spells: tuple[tuple[PastIncident, ...], ...]

    @property
    def cycles(self) -> int:
        return sum(len(spell) for spell in self.spells)

    @property
    def pages(self) -> int:
        return count_pages(item for spell in self.spells for item in spell)

    @property
    def latest(self) -> PastIncident:
        return self.spells[-1][-1]


def flapping_alerts(past: Past) -> tuple[FlappingAlert, ...]:
    """Return the kinds that flapped, those with the most pages in their spells first."""
    found = []
    for kind, items in by_kind(past).items():
        if spells := spells_of(items):
            found.append(FlappingAlert(kind, items[0].incident.service_id, items, spells))
    return tuple(sorted(found, key=lambda alert: (-alert.pages, -alert.cycles, alert.kind)))


def spells_of(items: Sequence[PastIncident]) -> tuple[tuple[PastIncident, ...], ...]:
    """Return the spells among incidents of one kind, which are in order of time.

    A spell is a longest run in which each incident resolved itself and the next began within 15 minutes; at
    some moment of it, three cycles lie within the last 60 minutes.
    """
    spells: list[tuple[PastIncident, ...]] = []
    run: list[PastIncident] = []
    for item in items:
        if run and item.at - (run[-1].end or 0) > _RETRIGGER:
            spells.append(tuple(run))
            run = []
        if item.healed_after is None:
            spells.append(tuple(run))
            run = []
        else:
            run.append(item)
    spells.append(tuple(run))
    return tuple(spell for spell in spells if _flaps(spell))


def _flaps(run: Sequence[PastIncident]) -> bool:
    cycles = [FlapCycle(_moment(item.at), _moment(item.end)) for item in run if item.end is not None]
    return any(
        count_flap_cycles(cycles[: number + 1], cycle.auto_resolved_at) >= MIN_FLAP_CYCLES
        for number, cycle in enumerate(cycles)
        if cycle.auto_resolved_at is not None
    )


def _moment(at: int | None) -> datetime:
    return datetime.fromtimestamp(at or 0, UTC)
