"""The past of the demo's shop: incidents like those of the demo scenario, and recent changes."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.demo_on_call import OnCallTruth, plant_on_call_faults
from pagerduty_simulator.past import IncidentLife, poisson_moments, write_change, write_past
from pagerduty_simulator.resources import User


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One kind of incident; the first of `fixers` resolves most of them, `#` stands for a number."""

    service: str
    title: str
    resolution: str
    fixers: tuple[str, str]
    weight: int = 2
    urgency: str = "high"
    heals_itself: float = 0.0


_TROUBLES: Final = (
    _Trouble("Order database", "Order database refuses writes",
             "Disk of the primary was full: failed over, write-ahead logs moved away.",
             ("Luc Delorme", "Amara Okafor"), 1),
    _Trouble("Order database", "Order database: replication lag # s", "Rebuilt the replica.",
             ("Luc Delorme", "Mei Tanaka")),
    _Trouble("Checkout API", "Checkout: one order in # fails",
             "The order database was read-only; orders were retried once it was back.",
             ("Jonas Lindqvist", "Priya Raman")),
    _Trouble("Checkout API", "Checkout: latency p95 # ms", "Pool of connections doubled.",
             ("Priya Raman", "Jonas Lindqvist")),
    _Trouble("Image CDN", "Image CDN: product pictures time out in Asia",
             "Purged the cache of one location and warmed it again.", ("Tomasz Wolny", "Ines Albrecht")),
    _Trouble("Log store", "Log store: disk # % full on node #", "Debug logging off again; old segments gone.",
             ("Mei Tanaka", "Luc Delorme"), 5, "low", 0.3),
    _Trouble("Edge proxies", "TLS certificate expires in # days",
             "Renewed by hand: the DNS check needed the second name server.",
             ("Luc Delorme", "Mei Tanaka"), 2, "low"),
    _Trouble("Search", "Search: results take more than # seconds", "Index rebuild moved back into the night.",
             ("Ines Albrecht", "Luc Delorme"), 3),
    _Trouble("Shop web", "Shop web: 5xx share # %", "Rolled back to the release before.",
             ("Tomasz Wolny", "Ines Albrecht"), 2, "high", 0.2),
    _Trouble("Payment gateway", "Payment gateway: card answers late",
             "The bank moved us to its second centre.", ("Jonas Lindqvist", "Priya Raman")),
)  # fmt: skip

_NOTES: Final = ("Customers notice.", "Looking into it.", "The same as last time.")

# Each service's changes per day, and their summary.
_CHANGES: Final[Mapping[str, tuple[float, str]]] = {
    "Order database": (0.12, "Schema migration #"),
    "Checkout API": (0.5, "Release #"),
    "Image CDN": (0.1, "Cache rules, version #"),
    "Log store": (0.08, "Node # replaced"),
    "Edge proxies": (0.15, "Configuration #: upstreams"),
    "Search": (0.3, "Release #"),
    "Shop web": (0.7, "Release #"),
    "Payment gateway": (0.2, "Release #"),
}

# The changes right before the scenario: service, summary, minutes before it.
_PLANTED: Final = (
    ("Order database", "Configuration: keep write-ahead logs for seven days", 6),
    ("Search", "Schedule: index rebuild in working hours", 9),
)
#: No incident ended so shortly before the scenario.
_CALM: Final = timedelta(hours=2)


def furnish_for_the_demo(account: Account, *, incidents: int, days: float, seed: int) -> OnCallTruth:
    """Give the furnished shop a past of resolved incidents, and the changes that caused the scenario's.

    An open incident of the past would appear in the demo without a webhook, at the next reconciliation. It
    also gets a team whose on-call is in trouble; the returned truth says how.
    """
    rng = random.Random(f"demo past/{seed}")
    until = account.now() - _CALM
    since = until - timedelta(days=days)
    services = {service.name: service for service in account.services.values()}
    people = {user.name: user for user in account.users.values()}
    weights = [trouble.weight for trouble in _TROUBLES]
    lives = [
        _life(account, trouble, since + rng.random() * (until - since), people, rng)
        for trouble in rng.choices(_TROUBLES, weights=weights, k=incidents)
    ]
    write_past(account, [life for life in lives if life.resolved_at and life.resolved_at < until], rng)
    for name, (per_day, summary) in _CHANGES.items():
        for at in poisson_moments(rng, per_day, since, until):
            write_change(account, services[name], at, _fill_template(summary, rng), rng)
    for name, summary, minutes in _PLANTED:
        write_change(account, services[name], account.now() - timedelta(minutes=minutes), summary, rng)
    return plant_on_call_faults(account, days=days, seed=seed, until=until)


def _fill_template(template: str, rng: random.Random) -> str:
    while "#" in template:
        template = template.replace("#", str(rng.randrange(2, 99)), 1)
    return template


def _life(
    account: Account,
    trouble: _Trouble,
    at: datetime,
    people: Mapping[str, User],
    rng: random.Random,
) -> IncidentLife:
    (service,) = (known for known in account.services.values() if known.name == trouble.service)
    title = _fill_template(trouble.title, rng)
    with account.at(at):
        paged = account.paged(service.escalation_policy, 0)
    if rng.random() < trouble.heals_itself:
        gone_at = at + timedelta(minutes=1 + rng.expovariate(1 / 6))
        return IncidentLife(service, title, at, paged, gone_at, urgency=trouble.urgency)
    fixer = people[rng.choices(trouble.fixers, weights=(3, 1))[0]]
    # Somebody answers before the policy escalates.
    acknowledged_at = at + timedelta(minutes=min(0.5 + rng.expovariate(1 / 4), 14))
    return IncidentLife(
        service,
        title,
        at,
        paged,
        acknowledged_at + timedelta(minutes=4 + rng.expovariate(1 / 35)),
        acknowledged_at=acknowledged_at,
        acknowledged_by=paged[0],
        resolved_by=fixer,
        taken_by=None if fixer.id == paged[0].id else fixer,
        urgency=trouble.urgency,
        resolution=trouble.resolution,
        notes=(rng.choice(_NOTES),) if rng.random() < 0.5 else (),
    )
