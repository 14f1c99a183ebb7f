"""What is true of a pack's account, so that whoever says something about it can be judged."""

from dataclasses import dataclass
from typing import NamedTuple

from pagerduty_simulator.account import Account
from pagerduty_simulator.events import Event


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Ids of what was planted; `None` and empty mean that there is nothing to be found.

    `causes` is the whole chain that led to the incident: changes and other incidents, on the services
    of `chain_service_ids`. `origin` is its first link, on `origin_service_id`. `fixer_id` is who mends
    this one, and `on_call_ids` whom the policy pages, level after level. `cycles` are the circles among
    what the service needs and what needs it.
    """

    incident_id: str
    service_id: str
    causes: tuple[str, ...] = ()
    origin: str | None = None
    origin_service_id: str | None = None
    chain_service_ids: tuple[str, ...] = ()
    fixer_id: str | None = None
    on_call_ids: tuple[str, ...] = ()
    misrouted_to_team_id: str | None = None
    is_flapping: bool = False
    cycles: tuple[frozenset[str], ...] = ()
    has_history: bool = True


class PackWorld(NamedTuple):
    """An account, what is true of it, and what its webhooks would have told of the present."""

    account: Account
    truth: GroundTruth
    events: tuple[Event, ...]
