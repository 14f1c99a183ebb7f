"""/standards: PagerDuty's own service standards, and the scores of services against them.

Source: PagerDuty's REST documentation, "Standards". How PagerDuty computes a score is described there in the
standards' own texts only; the account decides each by what such a text says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import Service
from pagerduty_simulator.rest.answers import Answer, invalid, not_found
from pagerduty_simulator.rest.calls import Call, a_read, lookup

_RESOURCE_TYPE: Final = "technical_service"
#: As the path of the scores spells it.
_PLURAL: Final = "technical_services"
_MAX_IDS: Final = 100
_LEAST_LEVELS: Final = 2


@dataclass(frozen=True, slots=True)
class _Standard:
    """A standard; `passes` says whether a service keeps to it."""

    id: str
    type: str
    name: str
    description: str
    passes: Callable[[Account, Service], bool]
    active: bool = True


def _unique_levels(account: Account, service: Service) -> int:
    """Count the levels of the service's policy that differ in their targets."""
    policy = account.escalation_policies.get(service.escalation_policy.id, service.escalation_policy)
    return len({frozenset(target.id for target in level) for level in policy.levels})


def _has_dependency(account: Account, service: Service) -> bool:
    node = "technical_service", service.id
    return any(node in {edge.supporting, edge.dependent} for edge in account.belongings.dependencies)


_STANDARDS: Final = (
    _Standard(
        "01CXX38Q0U8XKHO4LNKXUJTBFG",
        "has_technical_service_description",
        "Service has a description",
        "Provide a description that helps responders understand what the service does",
        lambda _, service: bool(service.description),
    ),
    _Standard(
        "01CXX38Q0VJ4ZFJN4N1BVMPHBR",
        "minimum_escalation_policy_rule_depth",
        "Escalation policy has 2 or more unique levels",
        "Provide a back-up in case the first responder does not answer",
        lambda account, service: _unique_levels(account, service) >= _LEAST_LEVELS,
    ),
    _Standard(
        "01CXX38Q0WBKTW6KD1LQ9BDOEA",
        "minimum_technical_service_dependencies",
        "Service has 1 or more dependencies",
        "Relate the service to the services around it",
        _has_dependency,
    ),
    _Standard(
        "01CXX38Q0XJ9M0FWU2QK6CVPTS",
        "minimum_outbound_integrations",
        "Service has 1 or more extensions",
        "Tell other tools of the service's incidents",
        lambda _account, _service: False,
        active=False,
    ),
)


def _list(call: Call) -> Answer:
    active, kind = call.parameter("active"), call.parameter("resource_type")
    if active not in {None, "true", "false"} or kind not in {None, _RESOURCE_TYPE}:
        raise invalid("active or resource_type is unknown")
    found = [standard for standard in _STANDARDS if active in {None, str(standard.active).lower()}]
    return Answer(200, {"standards": [_standard(standard) for standard in found]})


def _standard(standard: _Standard) -> JsonObject:
    return {
        "active": standard.active,
        "description": standard.description,
        "exclusions": [],
        "id": standard.id,
        "inclusions": [],
        "name": standard.name,
        "resource_type": _RESOURCE_TYPE,
        "type": standard.type,
    }


def _scores_of_many(call: Call) -> Answer:
    _check_type(call)
    ids = call.query.get("ids[]", [])
    if not 1 <= len(ids) <= _MAX_IDS:
        raise invalid(f"ids must be between 1 and {_MAX_IDS}")
    services = [
        call.account.services[service_id] for service_id in ids if service_id in call.account.services
    ]
    return Answer(200, {"resources": [_score(call.account, service) for service in services]})


def _scores(call: Call) -> Answer:
    _check_type(call)
    return Answer(200, _score(call.account, lookup(call.account.services, call.parameters[1])))


def _check_type(call: Call) -> None:
    if call.parameters[0] != _PLURAL:
        raise not_found()


def _score(account: Account, service: Service) -> JsonObject:
    active = [standard for standard in _STANDARDS if standard.active]
    rows = [
        {
            "active": True,
            "description": standard.description,
            "id": standard.id,
            "name": standard.name,
            "pass": standard.passes(account, service),
            "type": standard.type,
        }
        for standard in active
    ]
    return {
        "resource_id": service.id,
        "resource_type": _RESOURCE_TYPE,
        "score": {"passing": sum(bool(row["pass"]) for row in rows), "total": len(rows)},
        "standards": rows,
    }


_READ: Final = "standards.read"

OPERATIONS: Final = (
    a_read("listStandards", "/standards", _list, _READ),
    a_read("listResourceStandardsManyServices", "/standards/scores/{}", _scores_of_many, _READ),
    a_read("listResourceStandards", "/standards/scores/{}/{}", _scores, _READ),
)
