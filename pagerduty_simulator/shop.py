"""The account of an online shop with people, services and priorities."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import Team, User

PRIORITY_NAMES: Final = ("P1", "P2", "P3", "P4", "P5")

_PEOPLE: Final = (
    "Ines Albrecht",
    "Tomasz Wolny",
    "Priya Raman",
    "Jonas Lindqvist",
    "Amara Okafor",
    "Luc Delorme",
    "Mei Tanaka",
    "Sofia Castro",
)

# Escalation policy: its team, and the people on its levels.
_POLICIES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "Storefront on-call": ("Storefront", ("Ines Albrecht", "Tomasz Wolny", "Sofia Castro")),
    "Payments on-call": ("Payments", ("Priya Raman", "Jonas Lindqvist", "Sofia Castro")),
    "Platform on-call": ("Platform", ("Amara Okafor", "Luc Delorme", "Mei Tanaka")),
}

_SERVICES: Final[Mapping[str, str]] = {
    "Shop web": "Storefront on-call",
    "Search": "Storefront on-call",
    "Image CDN": "Storefront on-call",
    "Checkout API": "Payments on-call",
    "Payment gateway": "Payments on-call",
    "Order database": "Platform on-call",
    "Log store": "Platform on-call",
    "Edge proxies": "Platform on-call",
}


def online_shop(*, now: Callable[[], datetime], seed: int, site: Site | None = None) -> Account:
    """Return an account with people, teams, policies, services and priorities P1 to P5.

    The same seed gives the same ids.
    """
    account = Account(now=now, rng=random.Random(seed), site=site)
    people: dict[str, User] = {}
    for name in _PEOPLE:
        address = name.lower().replace(" ", ".") + "@lantern-lane.example"
        people[name] = account.add_user(name, address)
    teams: dict[str, Team] = {}
    for policy_name, (team_name, names) in _POLICIES.items():
        teams[policy_name] = account.add_team(team_name)
        levels = tuple((people[name],) for name in names)
        account.add_escalation_policy(policy_name, levels, (teams[policy_name],))
    policies = {policy.name: policy for policy in account.escalation_policies.values()}
    for service_name, policy_name in _SERVICES.items():
        account.add_service(service_name, policies[policy_name], (teams[policy_name],))
    for name in PRIORITY_NAMES:
        account.add_priority(name)
    return account
