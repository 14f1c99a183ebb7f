"""The events that a webhook's subscription delivers, and the services or teams that they are of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.pagerduty.event_types import EventType


class EventSet(StrEnum):
    """A choice of event types. Each set contains the previous set."""

    ESSENTIAL = "essential"
    EXTENDED = "extended"
    ADVANCED = "advanced"


_ESSENTIAL = (EventType.TRIGGERED, EventType.ACKNOWLEDGED, EventType.RESOLVED)
_EXTENDED = (*_ESSENTIAL, EventType.ESCALATED, EventType.RESPONDER_ADDED, EventType.PRIORITY_UPDATED)

#: Pings are left out because they always come, service events because they change no issue.
EVENTS: Mapping[EventSet, tuple[EventType, ...]] = {
    EventSet.ESSENTIAL: _ESSENTIAL,
    EventSet.EXTENDED: _EXTENDED,
    EventSet.ADVANCED: (
        *_EXTENDED,
        *(
            event_type
            for event_type in EventType
            if event_type.startswith("incident.") and event_type not in _EXTENDED
        ),
    ),
}

#: PagerDuty's limit of subscriptions for one service, team or account.
MAX_FILTERS = 10


class InvalidFilter(ExplainedError, ValueError):
    """The choice of services and teams is not possible. The message says why."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The services or the teams whose events are wanted; without both, the whole account."""

    service_ids: tuple[str, ...] = ()
    team_ids: tuple[str, ...] = ()

    def validated(self) -> "EventFilter":
        """Return itself. Raises InvalidFilter."""
        if self.service_ids and self.team_ids:
            raise InvalidFilter(
                "choose services or teams, not both: one subscription of PagerDuty's takes one of them"
            )
        if len({*self.service_ids, *self.team_ids}) > MAX_FILTERS:
            raise InvalidFilter(
                f"choose at most {MAX_FILTERS} services or teams; make further webhooks for more"
            )
        return self

    def filter_keys(self) -> tuple[tuple[str, str | None], ...]:
        """Return (kind, id) of each subscription that is needed: PagerDuty filters by one object each."""
        if self.service_ids:
            return tuple(("service", service_id) for service_id in dict.fromkeys(self.service_ids))
        if self.team_ids:
            return tuple(("team", team_id) for team_id in dict.fromkeys(self.team_ids))
        return (("account", None),)


WHOLE_ACCOUNT = EventFilter()
