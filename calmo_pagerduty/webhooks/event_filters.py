"""Which events a webhook's subscription is for, and of which services or teams."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.pagerduty.event_types import EventType


class EventSet(StrEnum):
    """Each holds the one before it."""

    ESSENTIAL = "essential"
    EXTENDED = "extended"
    ADVANCED = "advanced"


_ESSENTIAL = (EventType.TRIGGERED, EventType.ACKNOWLEDGED, EventType.RESOLVED)
_EXTENDED = (*_ESSENTIAL, EventType.ESCALATED, EventType.RESPONDER_ADDED, EventType.PRIORITY_UPDATED)

#: A ping is no event to choose: it always comes. A service's own events move no issue.
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

#: PagerDuty allows so many subscriptions for one service, team or account.
MAX_FILTERS = 10


class InvalidFilter(ExplainedError, ValueError):
    """Services and teams can't be chosen so; the message says why."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Whose events: some services', some teams', or without either the whole account's."""

    service_ids: tuple[str, ...] = ()
    team_ids: tuple[str, ...] = ()

    def validated(self) -> "EventFilter":
        """Return itself. Raises BadFilter."""
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
        """Return (kind, id) of each subscription that it takes: PagerDuty filters by one thing each."""
        if self.service_ids:
            return tuple(("service", service_id) for service_id in dict.fromkeys(self.service_ids))
        if self.team_ids:
            return tuple(("team", team_id) for team_id in dict.fromkeys(self.team_ids))
        return (("account", None),)


WHOLE_ACCOUNT = EventFilter()
