"""The objects that findings name, and how shares and lists are put into words. Pure."""

from collections.abc import Iterable, Sequence

from calmo_pagerduty.findings.model import Entity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import EscalationRule, Incident, Policy, Service, TargetKind
from calmo_pagerduty.snapshots.on_call import OnCallIndex, Shift

#: A finding lists at most this many objects; its evidence holds the count.
MAX_ENTITIES = 20


def policy_entity(policy: Policy) -> Entity:
    return Entity("policy", policy.id, policy.name, policy.html_url)


def service_entity(service: Service) -> Entity:
    return Entity("service", service.id, service.name, service.html_url)


def user_entity(index: OnCallIndex, user_id: str) -> Entity:
    """Return a person; one that the snapshot doesn't have is named by the id."""
    user = index.users.get(user_id)
    if user is None:
        return Entity("user", user_id, user_id)
    return Entity("user", user_id, user.name, user.html_url)


def target_entities(index: OnCallIndex, rule: EscalationRule) -> tuple[Entity, ...]:
    """Return the people and schedules of a level, in the policy's order."""
    entities = []
    for target in rule.targets:
        if target.kind is TargetKind.USER:
            entities.append(user_entity(index, target.id))
        elif (schedule := index.schedules.get(target.id)) is None:
            entities.append(Entity("schedule", target.id, target.id))
        else:
            entities.append(Entity("schedule", target.id, schedule.name, schedule.html_url))
    return tuple(entities)


def incident_entity(incident: Incident) -> Entity:
    return Entity("incident", incident.id, f"#{incident.number}", incident.html_url)


def incident_entities(incidents: Sequence[Incident]) -> tuple[Entity, ...]:
    """Return the newest incidents, at most MAX_ENTITIES of them."""
    newest = sorted(incidents, key=lambda incident: (incident.created_at, incident.id), reverse=True)
    return tuple(map(incident_entity, newest[:MAX_ENTITIES]))


def seconds_of(shifts: Iterable[Shift]) -> int:
    return sum(shift.end - shift.start for shift in shifts)


def share(seconds: int, window: Span) -> float:
    """Return a share of the window, from 0 to 1, rounded so that reruns print the same."""
    return round(seconds / window.seconds, 4) if window.seconds > 0 else 0.0


def percent(value: float) -> str:
    """Return a share in words: `3 %`, `0.4 %`, and never `0 %` for something that happens."""
    shown = 100 * value
    return f"{shown:.0f} %" if shown >= 1 or shown == 0 else f"{max(shown, 0.1):.1f} %"


def level_text(levels: Iterable[int]) -> str:
    """Return `level 1`, or `levels 1 and 2`."""
    numbers = [str(level) for level in levels]
    if len(numbers) == 1:
        return f"level {numbers[0]}"
    return f"levels {', '.join(numbers[:-1])} and {numbers[-1]}"
