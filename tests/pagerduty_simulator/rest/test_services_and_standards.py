"""Services' urgency rules, support hours and timeouts; policies' strategies; service standards."""

from dataclasses import replace
from datetime import time
from typing import Any

from pagerduty_simulator.account import Account
from pagerduty_simulator.resources import ROUND_ROBIN, AutoPause, SupportHours, UrgencyRule
from tests.support.rest_account import Api, id_of

HOURS = SupportHours("Eastern Time (US & Canada)", (1, 2, 3, 4, 5), time(9), time(17))


async def service_named(api: Api, name: str, **query: Any) -> Any:
    (service,) = (await api.get("/services", name=name, **query))["services"]
    return service


async def test_a_service_s_urgency_may_follow_its_support_hours(account: Account, api: Api) -> None:
    service = account.services[api.service_id("Search")]
    account.save_service(
        replace(
            service,
            urgency_rule=UrgencyRule("high", "severity_based"),
            support_hours=HOURS,
            raises_urgency=True,
            acknowledgement_timeout=None,
            auto_resolve_timeout=None,
            auto_pause=AutoPause(enabled=True, timeout=300),
        )
    )
    told = await service_named(api, "Search", **{"include[]": "auto_pause_notifications_parameters"})
    assert told["incident_urgency_rule"] == {
        "type": "use_support_hours",
        "during_support_hours": {"type": "constant", "urgency": "high"},
        "outside_support_hours": {"type": "constant", "urgency": "severity_based"},
    }
    assert told["support_hours"]["time_zone"] == "Eastern Time (US & Canada)"
    assert (told["support_hours"]["start_time"], told["support_hours"]["end_time"]) == (
        "09:00:00",
        "17:00:00",
    )
    assert (told["acknowledgement_timeout"], told["auto_resolve_timeout"]) == (None, None)
    assert told["scheduled_actions"][0]["at"]["name"] == "support_hours_start"
    assert told["auto_pause_notifications_parameters"] == {"enabled": True, "timeout": 300}


async def test_a_service_is_plain_until_it_is_configured(api: Api) -> None:
    told = await service_named(api, "Search")
    assert told["incident_urgency_rule"] == {"type": "constant", "urgency": "high"}
    assert (told["support_hours"], told["scheduled_actions"]) == (None, [])
    assert "auto_pause_notifications_parameters" not in told


async def test_a_disabled_service_says_so(account: Account, api: Api) -> None:
    account.save_service(replace(account.services[api.service_id("Search")], is_disabled=True))
    assert (await service_named(api, "Search"))["status"] == "disabled"


async def test_a_policy_s_strategies_are_shown_when_they_are_asked_for(account: Account, api: Api) -> None:
    policy = account.escalation_policies[id_of(account.escalation_policies, "Platform on-call")]
    account.save_policy(replace(policy, strategies=(ROUND_ROBIN,)))
    path = f"/escalation_policies/{policy.id}"
    rules = (await api.get(path))["escalation_policy"]["escalation_rules"]
    assert "escalation_rule_assignment_strategy" not in rules[0]
    asked = await api.get(path, **{"include[]": "escalation_rule_assignment_strategies"})
    told = [
        rule["escalation_rule_assignment_strategy"] for rule in asked["escalation_policy"]["escalation_rules"]
    ]
    assert told == [{"type": "round_robin"}, {"type": "assign_to_everyone"}, {"type": "assign_to_everyone"}]
    written = await api.send("PUT", path, {"escalation_policy": {"escalation_rules": rules}})
    assert written.status_code == 200
    assert account.escalation_policies[policy.id].strategy(0) == "assign_to_everyone"


async def test_scores_say_which_standards_a_service_keeps_to(account: Account, api: Api) -> None:
    standards = {row["type"]: row for row in (await api.get("/standards", active="true"))["standards"]}
    assert "minimum_escalation_policy_rule_depth" in standards
    path = "/standards/scores/technical_services"
    ids = list(account.services)[:2]
    resources = (await api.get(path, **{"ids[]": ids}))["resources"]
    assert [resource["resource_id"] for resource in resources] == ids
    passed = {row["type"]: row["pass"] for row in resources[0]["standards"]}
    assert passed == {
        "has_technical_service_description": False,
        "minimum_escalation_policy_rule_depth": True,
        "minimum_technical_service_dependencies": True,
    }
    assert resources[0]["score"] == {"passing": 2, "total": 3}
    assert await api.get(f"{path}/{ids[0]}") == resources[0]
    assert (await api.send("GET", path)).status_code == 400
    assert (await api.send("GET", "/standards/scores/teams")).status_code == 404
