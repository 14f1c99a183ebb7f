"""Users with their contact methods and notification rules, and the members of teams."""

from dataclasses import replace
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.contacts import contact_method, notification_rules
from tests.support.chance import repeatable
from tests.support.rest_account import Api


async def user_named(api: Api, name: str, *includes: str) -> Any:
    answer = await api.get("/users", query=name, **{"include[]": list(includes)})
    (user,) = answer["users"]
    return user


async def test_rules_and_methods_are_references_until_they_are_asked_for(api: Api) -> None:
    plain = await user_named(api, "Priya Raman")
    full = await user_named(api, "Priya Raman", "contact_methods", "notification_rules")
    assert {rule["type"] for rule in plain["notification_rules"]} == {
        "assignment_notification_rule_reference"
    }
    assert "address" not in plain["contact_methods"][0]
    kinds = {method["id"]: method["type"] for method in full["contact_methods"]}
    told = [
        (rule["urgency"], rule["start_delay_in_minutes"], kinds[rule["contact_method"]["id"]])
        for rule in full["notification_rules"]
    ]
    assert told == [
        ("high", 0, "phone_contact_method"),
        ("high", 5, "push_notification_contact_method"),
        ("high", 10, "email_contact_method"),
        ("low", 0, "email_contact_method"),
    ]


async def test_a_user_s_own_rules_are_listed_by_urgency(api: Api) -> None:
    path = f"/users/{api.user_id('Priya Raman')}/notification_rules"
    rules = (await api.get(path))["notification_rules"]
    low = (await api.get(path, urgency="low", **{"include[]": "contact_methods"}))["notification_rules"]
    assert [rule["id"] for rule in low] == [rule["id"] for rule in rules if rule["urgency"] == "low"]
    assert low[0]["contact_method"]["address"] == "priya.raman@lantern-lane.example"
    assert (await api.get(f"{path}/{low[0]['id']}"))["notification_rule"]["urgency"] == "low"
    assert (await api.send("GET", path, params={"urgency": "loud"})).status_code == 400


async def test_a_new_user_is_notified_by_e_mail_at_once(account: Account, api: Api) -> None:
    user = account.add_user("Nora Ek", "nora.ek@lantern-lane.example")
    full = await user_named(api, "Nora Ek", "contact_methods", "notification_rules")
    assert [method["type"] for method in full["contact_methods"]] == ["email_contact_method"]
    assert [(rule["urgency"], rule["start_delay_in_minutes"]) for rule in full["notification_rules"]] == [
        ("high", 0),
        ("low", 0),
    ]
    assert full["id"] == user.id


async def test_a_contact_method_says_whether_it_is_verified_and_blacklisted(
    account: Account, api: Api
) -> None:
    user = account.users[api.user_id("Luc Delorme")]
    rng = repeatable(1)
    methods = (
        contact_method("whatsapp", "301111111", rng, enabled=False),
        contact_method("sms", "302222222", rng, blacklisted=True),
    )
    rules = notification_rules(methods, (("high", 0, "whatsapp"), ("high", 2, "sms")), rng)
    account.save_user(replace(user, contact_methods=methods, notification_rules=rules))
    answer = await api.get(f"/users/{user.id}/contact_methods")
    told = {
        method["type"]: (method["enabled"], method["blacklisted"]) for method in answer["contact_methods"]
    }
    assert told == {"whatsapp_contact_method": (False, False), "sms_contact_method": (True, True)}
    method = await api.get(f"/users/{user.id}/contact_methods/{methods[0].id}")
    assert method["contact_method"]["label"] == "WhatsApp"


async def test_a_changed_user_is_changed_where_policies_and_incidents_hold_the_user(
    account: Account, api: Api
) -> None:
    made = await api.incident(assignments=[{"assignee": {"id": api.user_id("Luc Delorme"), "type": "user"}}])
    luc = account.users[api.user_id("Luc Delorme")]
    account.save_user(replace(luc, name="Lucien Delorme"))
    assert account.incident(made["id"]).assignees[0].name == "Lucien Delorme"
    targets = [
        target.name
        for policy in account.escalation_policies.values()
        for level in policy.levels
        for target in level
    ]
    assert "Lucien Delorme" in targets
    assert "Luc Delorme" not in targets


async def test_members_of_a_team_have_team_roles(account: Account, api: Api) -> None:
    teams = {team["name"]: team["id"] for team in (await api.get("/teams"))["teams"]}
    members = (await api.get(f"/teams/{teams['Payments']}/members"))["members"]
    roles = {member["user"]["summary"]: member["role"] for member in members}
    assert roles["Priya Raman"] == "manager"
    assert roles["Jonas Lindqvist"] == "responder"
    assert roles["Sofia Castro"] == "observer"
    account.add_member(teams["Payments"], api.user_id("Mei Tanaka"), "manager")
    answer = await api.get(f"/teams/{teams['Payments']}/members", **{"include[]": "users"})
    assert [(member["user"]["name"], member["role"]) for member in answer["members"]] == [
        ("Mei Tanaka", "manager")
    ]
    assert (await api.get(f"/teams/{teams['Payments']}"))["team"]["name"] == "Payments"


@pytest.mark.parametrize("path", ["/teams/NONE", "/teams/NONE/members", "/users/NONE/notification_rules"])
async def test_what_is_unknown_is_404(api: Api, path: str) -> None:
    assert (await api.send("GET", path)).status_code == 404
