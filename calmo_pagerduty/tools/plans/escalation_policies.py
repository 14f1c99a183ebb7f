"""Tools for escalation policies."""

from functools import partial
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotInPlan, NotUnderstood
from calmo_pagerduty.pagerduty.request_builders import (
    SubPlan,
    get,
    list_request,
    page_result,
    post,
    put,
    reference,
    without_none,
)
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Ids, Limit, Line, Query, Text
from calmo_pagerduty.tools.markers import find_marked, with_marker
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import shapes

POLICY_COLUMNS = (
    Column("Id", "id"),
    Column("Name", "name"),
    Column("Loops", "num_loops"),
    Column("Description", "description"),
)


class ListEscalationPolicies(Arguments):
    query: Query | None = Field(None, description="A part of the name.")
    user_ids: Ids = Field((), description="Policies with any of them as a target.")
    team_ids: Ids = ()
    limit: Limit = 25
    after: After = None


def list_escalation_policies(arguments: ListEscalationPolicies, _call: CallContext) -> Plan:
    sets = {"user_ids[]": arguments.user_ids, "team_ids[]": arguments.team_ids}
    request = get("/escalation_policies", query=arguments.query, **sets)
    listed: ListResult = yield list_request(request, "escalation_policies", arguments.limit, arguments.after)
    return page_result(listed, shapes.shape_escalation_policy)


class EscalationPolicyArguments(Arguments):
    escalation_policy_id: Id


def get_escalation_policy(arguments: EscalationPolicyArguments, _call: CallContext) -> Plan:
    answer = yield get(f"/escalation_policies/{arguments.escalation_policy_id}")
    return shapes.shape_escalation_policy(as_object(answer.get("escalation_policy")))


class Target(Arguments):
    type: Literal["user", "schedule", "schedule_v3"] = Field(description="schedule_v3: shift-based.")
    id: Id


class Rule(Arguments):
    delay_minutes: int = Field(ge=1, le=1440, description="Before the next rule.")
    targets: tuple[Target, ...] = Field(min_length=1, max_length=10)

    def as_request(self) -> JsonObject:
        return {
            "escalation_delay_in_minutes": self.delay_minutes,
            "targets": [reference(target.id, target.type) for target in self.targets],
        }


Handoff = Literal["if_has_services", "always"]


class CreateEscalationPolicy(Arguments):
    name: Line = Field(max_length=255)
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=20)
    description: Text | None = Field(None, max_length=900)
    num_loops: int = Field(0, ge=0, le=9, description="How often the rules repeat.")
    team_id: Id | None = None
    on_call_handoff_notifications: Handoff | None = None


def create_escalation_policy(arguments: CreateEscalationPolicy, call: CallContext) -> Plan:
    if call.repeated and (made := (yield from _find_created(arguments.name, call))):
        return shapes.shape_escalation_policy(made)
    policy = {
        "type": "escalation_policy",
        "name": arguments.name,
        # By the marker, a repeated call finds the policy that an earlier attempt created.
        "description": with_marker(arguments.description or arguments.name, call.id),
        "escalation_rules": [rule.as_request() for rule in arguments.rules],
        "num_loops": arguments.num_loops,
        "on_call_handoff_notifications": arguments.on_call_handoff_notifications,
        "teams": [reference(arguments.team_id, "team")] if arguments.team_id else None,
    }
    answer = yield post(
        "/escalation_policies", {"escalation_policy": without_none(policy)}, in_the_name_of=True
    )
    return shapes.shape_escalation_policy(as_object(answer.get("escalation_policy")))


def _find_created(name: str, call: CallContext) -> SubPlan:
    listed: ListResult = yield list_request(
        get("/escalation_policies", query=name), "escalation_policies", 100
    )
    return find_marked(listed.items, call.id)


class UpdateEscalationPolicy(EscalationPolicyArguments):
    name: Line | None = Field(None, max_length=255)
    rules: tuple[Rule, ...] = Field((), max_length=20, description="Replaces all rules.")
    description: Text | None = Field(None, max_length=1024)
    num_loops: int | None = Field(None, ge=0, le=9)
    team_id: Id | None = None
    on_call_handoff_notifications: Handoff | None = None

    @model_validator(mode="after")
    def _check_changes(self) -> Self:
        if not any(self.model_dump(exclude={"escalation_policy_id"}, exclude_none=True).values()):
            raise ValueError("name: give at least one field to change")
        return self


def update_escalation_policy(arguments: UpdateEscalationPolicy, _call: CallContext) -> Plan:
    path = f"/escalation_policies/{arguments.escalation_policy_id}"
    now = yield from _policy_with_strategies(path)
    changed: dict[str, Any] = {
        "name": arguments.name,
        "description": arguments.description,
        "num_loops": arguments.num_loops,
        "on_call_handoff_notifications": arguments.on_call_handoff_notifications,
        "teams": [reference(arguments.team_id, "team")] if arguments.team_id else None,
    }
    if not as_objects(now.get("escalation_rules")):
        raise NotUnderstood("PagerDuty's answer shows no escalation rules", advice="nothing was changed")
    # PagerDuty replaces all rules by the ones in the request, so the request holds all.
    rules = [rule.as_request() for rule in arguments.rules] or [
        _current_rule(rule) for rule in as_objects(now.get("escalation_rules"))
    ]
    unchanged = {"type": "escalation_policy", "name": now.get("name") or now.get("summary")}
    policy = unchanged | without_none(changed) | {"escalation_rules": rules}
    answer = yield put(path, {"escalation_policy": policy}, in_the_name_of=True)
    return shapes.shape_escalation_policy(as_object(answer.get("escalation_policy")))


def _policy_with_strategies(path: str) -> SubPlan:
    """Read a policy with its rules' strategies. Otherwise an update would remove a round-robin strategy."""
    try:
        answer = yield get(path, **{"include[]": "escalation_rule_assignment_strategies"})
    except (InvalidRequest, NotInPlan):
        answer = yield get(path)
    return as_object(answer.get("escalation_policy"))


def _current_rule(rule: JsonObject) -> JsonObject:
    names = ("id", "escalation_delay_in_minutes", "escalation_rule_assignment_strategy")
    targets = [
        {"id": target.get("id"), "type": target.get("type")} for target in as_objects(rule.get("targets"))
    ]
    return without_none(shapes.pick_fields(rule, *names)) | {"targets": targets}


_of_policies = partial(Tool, category=Category.ESCALATION, shape=Shape.OBJECT, columns=POLICY_COLUMNS)
_reading = partial(
    Tool,
    category=Category.ESCALATION,
    access=Access.READ,
    risk=Risk.LOW,
    columns=POLICY_COLUMNS,
    scopes=("escalation_policies.read",),
)

TOOLS = (
    _reading(
        name="list_escalation_policies",
        title="List escalation policies",
        description="Find escalation policies by name, target or team, with their rules.",
        arguments=ListEscalationPolicies,
        plan=list_escalation_policies,
        shape=Shape.LIST,
        operations=("listEscalationPolicies",),
    ),
    _reading(
        name="get_escalation_policy",
        title="Get escalation policy details",
        description="One escalation policy: its rules, delays, targets, loops, services and teams.",
        arguments=EscalationPolicyArguments,
        plan=get_escalation_policy,
        shape=Shape.OBJECT,
        operations=("getEscalationPolicy",),
    ),
    _of_policies(
        name="create_escalation_policy",
        title="Create escalation policy",
        description="Creates an escalation policy. Its description ends with a marker of this call.",
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=CreateEscalationPolicy,
        plan=create_escalation_policy,
        operations=("createEscalationPolicy", "listEscalationPolicies"),
        scopes=("escalation_policies.write", "escalation_policies.read"),
        idempotent=False,
    ),
    _of_policies(
        name="update_escalation_policy",
        title="Update escalation policy",
        description="Changes an escalation policy: given fields replace the old, given rules replace all.",
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=UpdateEscalationPolicy,
        plan=update_escalation_policy,
        operations=("updateEscalationPolicy", "getEscalationPolicy"),
        scopes=("escalation_policies.write", "escalation_policies.read"),
        destructive=True,
    ),
)
