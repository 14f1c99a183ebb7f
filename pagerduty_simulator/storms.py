"""Random but reproducible sequences of events, for tests that count each event."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.events import Event
from pagerduty_simulator.resources import Incident, IncidentStatus
from pagerduty_simulator.shop import online_shop

STORM_BEGINS_AT: Final = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

# How far a duplicate may arrive after its original, in events of the whole storm.
_DUPLICATE_LAG_EVENTS: Final = 50


@dataclass(frozen=True, slots=True)
class _Move:
    """A possible step of an incident: its weight, its condition, and the operation. It makes one event."""

    weight: int
    allowed: Callable[[Incident], bool]
    make: Callable[[Account, str, random.Random], tuple[Event, ...]]


def _is_open(incident: Incident) -> bool:
    return incident.status is not IncidentStatus.RESOLVED


def _is(status: IncidentStatus) -> Callable[[Incident], bool]:
    return lambda incident: incident.status is status


def _has_next_level(incident: Incident) -> bool:
    levels = len(incident.escalation_policy.levels)
    return _is_open(incident) and incident.escalation_level + 1 < levels


def _always(_: Incident) -> bool:
    return True


def _user(account: Account, rng: random.Random) -> str:
    return rng.choice(list(account.users))


def _policy(account: Account, rng: random.Random) -> str:
    return rng.choice(list(account.escalation_policies))


def _priority(account: Account, rng: random.Random) -> str | None:
    return rng.choice([*account.priorities, None])


def _note(rng: random.Random) -> str:
    return f"Observation {rng.randrange(10_000)}"


_MOVES: Final = (
    _Move(8, _is(IncidentStatus.TRIGGERED), lambda a, i, r: a.acknowledge(i, by=_user(a, r))),
    _Move(2, _is(IncidentStatus.ACKNOWLEDGED), lambda a, i, _: a.unacknowledge(i)),
    _Move(4, _is_open, lambda a, i, r: a.resolve(i, by=_user(a, r))),
    _Move(4, _is(IncidentStatus.RESOLVED), lambda a, i, r: a.reopen(i, by=_user(a, r))),
    _Move(3, _has_next_level, lambda a, i, _: a.escalate(i)),
    _Move(2, _is_open, lambda a, i, r: a.reassign(i, (_user(a, r),), by=_user(a, r))),
    _Move(1, _is_open, lambda a, i, r: a.delegate(i, _policy(a, r))),
    _Move(3, _is_open, lambda a, i, r: a.set_priority(i, _priority(a, r), by=_user(a, r))),
    _Move(4, _always, lambda a, i, r: a.annotate(i, _note(r), by=_user(a, r))),
    _Move(1, _always, lambda a, i, r: a.publish_status_update(i, _note(r), by=_user(a, r))),
    _Move(1, _is_open, lambda a, i, r: a.add_responder(i, _user(a, r), "Please help")),
    _Move(1, _is_open, lambda a, i, r: a.assign_role(i, "Scribe", _user(a, r))),
    _Move(1, _is_open, lambda a, i, r: a.set_custom_fields(i, {"region": _note(r)})),
)


def random_storm(
    seed: int,
    incidents: int,
    events: int,
    *,
    begins_at: datetime = STORM_BEGINS_AT,
    mean_interval: timedelta = timedelta(milliseconds=100),
) -> tuple[Event, ...]:
    """Return exactly `events` events of exactly `incidents` incidents, in the order of time.

    occurred_at strictly increases. Each incident begins with incident.triggered. The same
    arguments give the same bytes.
    """
    if events < incidents:
        raise ValueError("each incident needs at least the event that triggers it")
    clock, rng = ManualClock(begins_at), random.Random(seed)
    account = online_shop(now=clock.now, seed=seed)
    storm: list[Event] = []
    incident_ids: list[str] = []
    while len(storm) < events:
        clock.advance(mean_interval * rng.expovariate(1.0))
        missing = incidents - len(incident_ids)
        # Spread the new incidents over the whole storm, without leaving any out.
        if not incident_ids or rng.random() < missing / (events - len(storm)):
            (event,) = _trigger(account, len(incident_ids) + 1, rng)
            incident_ids.append(str(event.incident_id))
        else:
            (event,) = _move(account, rng.choice(incident_ids), rng)
        storm.append(event)
    return tuple(storm)


def with_duplicates_and_disorder(
    events: Sequence[Event],
    seed: int,
    *,
    duplicate_share: float = 0.2,
    disorder_share: float = 0.2,
) -> tuple[Event, ...]:
    """Return the events in a disturbed order of delivery, some of them twice.

    `disorder_share` of the events arrive right after the next event of their incident (fewer, if too few
    have a next event); `duplicate_share` arrive once more a little later.
    """
    rng = random.Random(seed)
    moments = [float(index) for index in range(len(events))]
    following = _next_of_same_incident(events)
    preceding = {after: before for before, after in following.items()}
    candidates = rng.sample(sorted(following), len(following))
    moved: set[int] = set()
    for index in candidates:
        if len(moved) >= round(disorder_share * len(events)):
            break
        # Two neighbours that move together would keep their order.
        if following[index] not in moved and preceding.get(index) not in moved:
            moved.add(index)
            moments[index] = following[index] + 0.5
    arrivals = list(zip(moments, events, strict=True))
    for index in rng.sample(range(len(events)), round(duplicate_share * len(events))):
        lag = 1 + rng.random() * _DUPLICATE_LAG_EVENTS
        arrivals.append((moments[index] + lag, events[index]))
    return tuple(event for _, event in sorted(arrivals, key=lambda arrival: arrival[0]))


def _next_of_same_incident(events: Sequence[Event]) -> dict[int, int]:
    following: dict[int, int] = {}
    latest: dict[str, int] = {}
    for index, event in enumerate(events):
        if event.incident_id is None:
            continue
        if event.incident_id in latest:
            following[latest[event.incident_id]] = index
        latest[event.incident_id] = index
    return following


def _trigger(account: Account, number: int, rng: random.Random) -> tuple[Event, ...]:
    service_id = rng.choice(list(account.services))
    title = f"{account.services[service_id].name}: trouble number {number}"
    return account.trigger(service_id, title, priority_id=_priority(account, rng))


def _move(account: Account, incident_id: str, rng: random.Random) -> tuple[Event, ...]:
    incident = account.incident(incident_id)
    allowed = [move for move in _MOVES if move.allowed(incident)]
    (move,) = rng.choices(allowed, weights=[move.weight for move in allowed])
    return move.make(account, incident_id, rng)
