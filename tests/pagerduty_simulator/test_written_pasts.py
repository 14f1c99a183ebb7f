"""A past that is written at once pages whom the policy would have paged then."""

from datetime import UTC, datetime

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.packs.cascade import cascade
from pagerduty_simulator.packs.company import CompanySize
from pagerduty_simulator.resources import User

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)


def assigned_at_first(account: Account, incident_id: str) -> tuple[User, ...]:
    return next(entry.users for entry in account.log.of(incident_id) if entry.kind == "assign")


@pytest.mark.parametrize("seed", range(3))
def test_the_demo_s_incidents_went_to_who_was_on_call(seed: int) -> None:
    account = furnished_shop(now=lambda: NOW, seed=seed)
    furnish_for_the_demo(account, incidents=100, days=120, seed=seed)
    for incident in account.incidents.values():
        with account.at(incident.created_at):
            on_call = account.paged(incident.service.escalation_policy, 0)
        assert assigned_at_first(account, incident.id) == on_call


def test_an_everyday_incident_goes_to_the_next_level_only_when_it_escalates() -> None:
    account = cascade(now=lambda: NOW, seed=1, shape=CompanySize(days=60)).account
    escalated = [entry for entry in account.log.entries if entry.kind == "escalate" and entry.agent is None]
    assert escalated
    for entry in escalated:
        levels = account.incidents[entry.incident_id].service.escalation_policy.levels
        assert [user.id for user in entry.users] == [target.id for target in levels[1]]
        assert assigned_at_first(account, entry.incident_id) != entry.users
