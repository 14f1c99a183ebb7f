"""The ground truth of a pack's account, to score an analysis of the account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pagerduty_simulator.account import Account
from pagerduty_simulator.events import Event


@dataclass(frozen=True, slots=True)
class CauseLaw:
    """The law by which a world's cause was drawn: what an oracle knows. Keys are service ids with kinds
    of changes (templates of `vocabulary.CHANGES`).
    """

    #: Per day, of all changes.
    change_rates: Mapping[tuple[str, str], float]
    #: How likely the cause is such a change; they add up to 1.
    cause_shares: Mapping[tuple[str, str], float]
    #: The same for who knows the rates, and no more than the account's past tells: where nothing tells how
    #: many hops upstream it lies, each distance from 0 to 3 is equally likely.
    cause_shares_anywhere: Mapping[tuple[str, str], float]
    #: The cause came so long before the incident: equally likely in between.
    lead_minutes: tuple[float, float]


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
    law: CauseLaw | None = None


class PackWorld(NamedTuple):
    """An account, its ground truth, and the events that its webhooks send for the present."""

    account: Account
    truth: GroundTruth
    events: tuple[Event, ...]
