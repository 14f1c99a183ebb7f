"""/escalation_policies."""

from typing import Any, Final, NamedTuple

from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import (
    ASSIGN_TO_EVERYONE,
    ROUND_ROBIN,
    EscalationPolicy,
    EscalationTarget,
    ScheduleTarget,
)
from pagerduty_simulator.rest.answers import Answer, invalid
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page, reference_id
from pagerduty_simulator.rest.objects import policy_object

_HANDOFFS: Final = frozenset({"if_has_services", "always"})
_STRATEGIES: Final = frozenset({ROUND_ROBIN, ASSIGN_TO_EVERYONE})


def _list(call: Call) -> Answer:
    team_ids, user_ids = call.set_of("team_ids"), call.set_of("user_ids")
    if team_ids:
        call.ability("teams")
    query = (call.parameter("query") or "").lower()
    policies = [
        policy
        for policy in call.account.escalation_policies.values()
        if query in policy.name.lower()
        and (not team_ids or not team_ids.isdisjoint(team.id for team in policy.teams))
        and (
            not user_ids or not user_ids.isdisjoint(target.id for level in policy.levels for target in level)
        )
    ]
    policies.sort(key=lambda policy: policy.name, reverse=call.parameter("sort_by") == "name:desc")
    includes = call.set_of("include")
    return page(
        call, "escalation_policies", policies, lambda policy: policy_object(call.site, policy, includes)
    )


def _get(call: Call) -> Answer:
    policy = lookup(call.account.escalation_policies, call.parameters[0])
    return Answer(200, {"escalation_policy": policy_object(call.site, policy, call.set_of("include"))})


def _create(call: Call) -> Answer:
    body = call.wrapped("escalation_policy")
    if body.get("type") != "escalation_policy":
        raise invalid("Type must be escalation_policy")
    if not body.get("escalation_rules"):
        raise invalid("Escalation rules cannot be empty")
    policy = _from_body(call, body, EscalationPolicy(call.site.new_id(), "", ()))
    call.account.save_policy(policy)
    return Answer(201, {"escalation_policy": policy_object(call.site, policy, call.set_of("include"))})


def _update(call: Call) -> Answer:
    before = lookup(call.account.escalation_policies, call.parameters[0])
    policy = _from_body(call, call.wrapped("escalation_policy"), before)
    call.account.save_policy(policy)
    return Answer(200, {"escalation_policy": policy_object(call.site, policy, call.set_of("include"))})


def _from_body(call: Call, body: JsonObject, before: EscalationPolicy) -> EscalationPolicy:
    name = body.get("name", before.name)
    if not isinstance(name, str) or not name.strip():
        raise invalid("Name cannot be empty")
    others = (policy for policy in call.account.escalation_policies.values() if policy.id != before.id)
    if any(policy.name == name for policy in others):
        raise invalid("Name has already been taken")
    handoff = body.get("on_call_handoff_notifications", before.on_call_handoff_notifications)
    if handoff not in _HANDOFFS:
        raise invalid("On call handoff notifications is unknown")
    teams = before.teams
    if "teams" in body:
        call.ability("teams")
        if len(body["teams"]) > 1:
            raise invalid("An escalation policy belongs to at most one team")
        teams = tuple(lookup(call.account.teams, reference_id(team, "Team")) for team in body["teams"])
    levels, delays, rule_ids = before.levels, before.delays_minutes, before.rule_ids
    strategies = before.strategies
    if "escalation_rules" in body:
        rules = [_rule(call, rule) for rule in body["escalation_rules"]]
        if not rules:
            raise invalid("Escalation rules cannot be empty")
        levels = tuple(rule.targets for rule in rules)
        delays = tuple(rule.delay for rule in rules)
        rule_ids = tuple(rule.id for rule in rules)
        strategies = tuple(rule.strategy for rule in rules)
    return EscalationPolicy(
        before.id,
        name,
        levels,
        teams,
        body.get("description", before.description) or "",
        int(body.get("num_loops", before.num_loops)),
        handoff,
        rule_ids,
        delays,
        strategies,
    )


class _Rule(NamedTuple):
    targets: tuple[EscalationTarget, ...]
    delay: int
    id: str
    strategy: str


def _rule(call: Call, rule: Any) -> _Rule:
    if not isinstance(rule, dict) or not rule.get("targets"):
        raise invalid("An escalation rule has at least one target")
    delay = rule.get("escalation_delay_in_minutes")
    if not isinstance(delay, int) or delay < 1:
        raise invalid("Escalation delay must be at least one minute")
    given = rule.get("escalation_rule_assignment_strategy") or ASSIGN_TO_EVERYONE
    # The schema has a string, the published example an object: both are accepted.
    strategy = given.get("type") if isinstance(given, dict) else given
    if strategy not in _STRATEGIES:
        raise invalid("Escalation rule assignment strategy is unknown")
    targets = tuple(_target(call, target) for target in rule["targets"])
    return _Rule(targets, delay, str(rule.get("id") or call.site.new_id()), str(strategy))


def _target(call: Call, reference: Any) -> EscalationTarget:
    target_id = reference_id(reference, "Target")
    if str(reference.get("type", "")).startswith("user"):
        if target_id not in call.account.users:
            raise invalid("A target is not found")
        return call.account.users[target_id]
    schedule = call.account.belongings.schedules.get(target_id)
    if schedule is None:
        raise invalid("A target is not found")
    return ScheduleTarget(schedule.id, schedule.name, schedule.kind)


_SCOPE: Final = "escalation_policies"

OPERATIONS: Final = (
    a_read("listEscalationPolicies", "/escalation_policies", _list, f"{_SCOPE}.read"),
    a_read("getEscalationPolicy", "/escalation_policies/{}", _get, f"{_SCOPE}.read"),
    a_write("createEscalationPolicy", "POST", "/escalation_policies", _create, f"{_SCOPE}.write"),
    a_write("updateEscalationPolicy", "PUT", "/escalation_policies/{}", _update, f"{_SCOPE}.write"),
)
