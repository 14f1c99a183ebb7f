"""The auto-pause advisor: which pause would have spared how many pages, replayed on the past. Pure.

PagerDuty can pause notifications of alerts that look transient, per service ("Auto-Pause Incident
Notifications") or by a rule of its event orchestration ("Pause incident notifications"). An alert that
resolves itself within the pause pages nobody; any other pages so much later.

Source of the five pauses: PagerDuty's REST API, `auto_pause_notifications_parameters.timeout`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.patterns.flapping import flapping_alerts
from calmo_pagerduty.patterns.past import Past, PastIncident, by_service, count_pages, grouped
from calmo_pagerduty.snapshots.model import Service

#: Seconds that PagerDuty's setting offers, besides 0, its own recommendation.
PAUSES = (120, 180, 300, 600, 900)
#: At most this share of the paused incidents may be such that a person acted on.
MAX_HANDLED_SHARE = 0.10
#: With fewer incidents, what a pause would have done means little; a flapping alert needs as many cycles.
MIN_PAUSED = 10
MIN_FLAPPING = 3
#: Fewer avoided incidents aren't worth a setting.
MIN_AVOIDED = 3


class PauseSetting(StrEnum):
    """Where the pause is set. The service's own pauses all of its alerts, a rule those of one kind."""

    SERVICE = "Auto-Pause Incident Notifications of the service"
    RULE = "a rule of the event orchestration that pauses incident notifications"


@dataclass(frozen=True, slots=True)
class PauseReplay:
    """What a pause of so many seconds would have done. `handled` of the delayed, a person acted on."""

    seconds: int
    paused: int
    avoided: int
    avoided_pages: int
    delayed: int
    delayed_pages: int
    handled: int

    @property
    def handled_share(self) -> float:
        return self.handled / self.paused if self.paused else 0.0


@dataclass(frozen=True, slots=True)
class PauseAdvice:
    """A pause that would have helped. `kind` is None if it is the service's own setting.

    `checked` is the pause that the first half of the incidents speaks for, replayed on the second half; None
    if the first half alone speaks for none.
    """

    service: Service
    kind: str | None
    setting: PauseSetting
    incidents: tuple[PastIncident, ...]
    replays: tuple[PauseReplay, ...]
    chosen: PauseReplay
    checked: PauseReplay | None
    is_flapping: bool

    @property
    def pages(self) -> int:
        return count_pages(self.incidents)


def replay_pause(items: Sequence[PastIncident], seconds: int) -> PauseReplay:
    """Replay a pause of all these incidents."""
    avoided = [item for item in items if item.healed_after is not None and item.healed_after <= seconds]
    delayed = [item for item in items if item.healed_after is None or item.healed_after > seconds]
    return PauseReplay(
        seconds=seconds,
        paused=len(items),
        avoided=len(avoided),
        avoided_pages=count_pages(avoided),
        delayed=len(delayed),
        delayed_pages=count_pages(delayed),
        handled=sum(item.is_actionable for item in delayed),
    )


def choose_pause(replays: Sequence[PauseReplay]) -> PauseReplay | None:
    """Return the pause that avoids the most incidents, the shortest of equals; None if none is harmless."""
    allowed = [replay for replay in replays if replay.avoided and replay.handled_share <= MAX_HANDLED_SHARE]
    return max(allowed, key=lambda replay: (replay.avoided, -replay.seconds), default=None)


def pause_advice(past: Past) -> tuple[PauseAdvice, ...]:
    """Return the pauses worth setting, those that avoid the most pages first."""
    flapping = {alert.kind for alert in flapping_alerts(past)}
    services, kinds = by_service(past), grouped(past.incidents, _service_and_kind)
    advice: list[PauseAdvice] = []
    for service in past.snapshot.services:
        # Where a pause is set already, what is left is what it let through.
        if service.auto_pause_seconds or service.id not in services:
            continue
        own = {kind: items for (id, kind), items in kinds.items() if id == service.id}
        advice += _of_service(service, services[service.id], own, flapping)
    return tuple(
        sorted(
            advice,
            key=lambda item: (
                -item.chosen.avoided_pages,
                -item.chosen.avoided,
                item.service.id,
                item.kind or "",
            ),
        )
    )


def _of_service(
    service: Service,
    items: tuple[PastIncident, ...],
    kinds: Mapping[str, tuple[PastIncident, ...]],
    flapping: Collection[str],
) -> Iterator[PauseAdvice]:
    """Yield the service's own pause, else pauses of its kinds."""
    whole = _advice(service, None, items, len(items) >= MIN_PAUSED, not kinds.keys().isdisjoint(flapping))
    if whole is not None:
        yield whole
        return
    for kind, members in sorted(kinds.items()):
        enough = len(members) >= (MIN_FLAPPING if kind in flapping else MIN_PAUSED)
        found = _advice(service, kind, members, enough, kind in flapping)
        if found is not None:
            yield found


def _service_and_kind(item: PastIncident) -> tuple[str, str] | None:
    incident = item.incident
    return None if incident.kind is None else (incident.service_id, incident.kind)


def _advice(
    service: Service,
    kind: str | None,
    items: tuple[PastIncident, ...],
    enough: bool,
    is_flapping: bool,
) -> PauseAdvice | None:
    replays = tuple(replay_pause(items, seconds) for seconds in PAUSES)
    chosen = choose_pause(replays) if enough else None
    if chosen is None or chosen.avoided < MIN_AVOIDED:
        return None
    half = len(items) // 2
    before = choose_pause([replay_pause(items[:half], seconds) for seconds in PAUSES])
    return PauseAdvice(
        service,
        kind,
        PauseSetting.SERVICE if kind is None else PauseSetting.RULE,
        items,
        replays,
        chosen,
        None if before is None else replay_pause(items[half:], before.seconds),
        is_flapping,
    )
