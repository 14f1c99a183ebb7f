"""The ground truth of a pack's account, to score an analysis of the account."""

from dataclasses import dataclass
from typing import NamedTuple

from pagerduty_simulator.account import Account
from pagerduty_simulator.events import Event


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Ids of what was planted; None or empty if there is nothing to find.

    `causes` is the whole chain that led to the incident: changes and other incidents, on the services
    of `chain_service_ids`. `origin` is its first link, on `origin_service_id`. `fixer_id` resolves this
    incident; the policy pages `on_call_ids`, level after level. `cycles` are the dependency cycles up- and
    downstream of the service.
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
    """An account, its ground truth, and the events that its webhooks send for the present."""

    account: Account
    truth: GroundTruth
    events: tuple[Event, ...]
