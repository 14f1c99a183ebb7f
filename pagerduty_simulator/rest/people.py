"""/users with contact methods and notification rules, /priorities and /abilities."""

from typing import Final

from pagerduty_simulator.contacts import URGENCIES
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import NotificationRule, User
from pagerduty_simulator.rest.account_site import ABILITIES
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid, not_found
from pagerduty_simulator.rest.calls import Call, a_read, lookup, page
from pagerduty_simulator.rest.objects import (
    contact_method,
    notification_rule,
    priority_object,
    user_object,
)


def _list(call: Call) -> Answer:
    team_ids, query = call.set_of("team_ids"), (call.parameter("query") or "").lower()
    if team_ids:
        call.ability("teams")
    users = [
        user
        for user in call.account.users.values()
        if (query in user.name.lower() or query in user.email.lower())
        and (not team_ids or not team_ids.isdisjoint(team.id for team in call.account.teams_of(user)))
    ]
    users.sort(key=lambda user: user.name)
    includes = call.set_of("include")
    return page(call, "users", users, lambda user: user_object(call.site, user, includes))


def _get(call: Call) -> Answer:
    user = lookup(call.account.users, call.parameters[0])
    return Answer(200, {"user": user_object(call.site, user, call.set_of("include"))})


def _get_current(call: Call) -> Answer:
    if call.token.user_id is None:
        raise RestError(ERRORS["account_token"])
    user = lookup(call.account.users, call.token.user_id)
    return Answer(200, {"user": user_object(call.site, user, call.set_of("include"))})


def _contact_methods(call: Call) -> Answer:
    user = lookup(call.account.users, call.parameters[0])
    methods = [contact_method(call.links, user, method) for method in user.contact_methods]
    return Answer(200, {"contact_methods": methods})


def _contact_method(call: Call) -> Answer:
    user = lookup(call.account.users, call.parameters[0])
    method = user.contact_method(call.parameters[1])
    if method is None:
        raise not_found()
    return Answer(200, {"contact_method": contact_method(call.links, user, method)})


def _notification_rules(call: Call) -> Answer:
    user, urgency = lookup(call.account.users, call.parameters[0]), call.parameter("urgency") or "all"
    if urgency not in {"all", *URGENCIES}:
        raise invalid("Urgency must be high, low or all")
    rules = [rule for rule in user.notification_rules if urgency in {"all", rule.urgency}]
    return Answer(200, {"notification_rules": [_rule(call, user, rule) for rule in rules]})


def _notification_rule(call: Call) -> Answer:
    user = lookup(call.account.users, call.parameters[0])
    rules = {rule.id: rule for rule in user.notification_rules}
    return Answer(200, {"notification_rule": _rule(call, user, lookup(rules, call.parameters[1]))})


def _rule(call: Call, user: User, rule: NotificationRule) -> JsonObject:
    return notification_rule(call.links, user, rule, full_method=call.includes("contact_methods"))


def _list_priorities(call: Call) -> Answer:
    priorities = list(call.account.priorities.values())
    return page(call, "priorities", priorities, lambda priority: priority_object(call.links, priority))


def _list_abilities(call: Call) -> Answer:
    return Answer(200, {"abilities": sorted(call.site.abilities)})


def _get_ability(call: Call) -> Answer:
    name = call.parameters[0]
    if name in call.site.abilities:
        return Answer(204)
    if name not in ABILITIES:
        raise not_found()
    raise RestError(ERRORS["no_ability"])


_CONTACTS: Final = "users:contact_methods.read"

OPERATIONS: Final = (
    a_read("listUsers", "/users", _list, "users.read"),
    a_read("getCurrentUser", "/users/me", _get_current, None),
    a_read("getUser", "/users/{}", _get, "users.read"),
    a_read("getUserContactMethods", "/users/{}/contact_methods", _contact_methods, _CONTACTS),
    a_read("getUserContactMethod", "/users/{}/contact_methods/{}", _contact_method, _CONTACTS),
    a_read("getUserNotificationRules", "/users/{}/notification_rules", _notification_rules, _CONTACTS),
    a_read("getUserNotificationRule", "/users/{}/notification_rules/{}", _notification_rule, _CONTACTS),
    a_read(
        "listPriorities", "/priorities", _list_priorities, "priorities.read", ability="incident_priorities"
    ),
    a_read("listAbilities", "/abilities", _list_abilities, "abilities.read"),
    a_read("getAbility", "/abilities/{}", _get_ability, "abilities.read"),
)
