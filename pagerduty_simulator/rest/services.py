"""/services and /service_dependencies."""

from collections.abc import Mapping
from typing import Final

from pagerduty_simulator.belongings import Dependency
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.answers import Answer, not_found
from pagerduty_simulator.rest.calls import Call, a_read, lookup, page
from pagerduty_simulator.rest.objects import service_object


def _list(call: Call) -> Answer:
    team_ids, name = call.set_of("team_ids"), call.parameter("name")
    if team_ids:
        call.ability("teams")
    query = (call.parameter("query") or "").lower()
    services = [
        service
        for service in call.account.services.values()
        if query in service.name.lower()
        and name in {None, service.name}
        and (not team_ids or not team_ids.isdisjoint(team.id for team in service.teams))
    ]
    services.sort(key=lambda service: service.name, reverse=call.parameter("sort_by") == "name:desc")
    includes = call.set_of("include")
    return page(call, "services", services, lambda service: service_object(call.site, service, includes))


def _get(call: Call) -> Answer:
    service = lookup(call.account.services, call.parameters[0])
    return Answer(200, {"service": service_object(call.site, service, call.set_of("include"))})


def _dependencies_of(call: Call, kind: str, owned: Mapping[str, object]) -> Answer:
    if call.parameters[0] not in owned:
        raise not_found()
    node = kind, call.parameters[0]
    touching = [
        dependency
        for dependency in call.account.belongings.dependencies
        if node in {dependency.supporting, dependency.dependent}
    ]
    return Answer(200, {"relationships": [_relationship(dependency) for dependency in touching]})


def _relationship(dependency: Dependency) -> JsonObject:
    return {
        "id": dependency.id,
        "type": "service_dependency",
        "supporting_service": {
            "id": dependency.supporting[1],
            "type": f"{dependency.supporting[0]}_reference",
        },
        "dependent_service": {"id": dependency.dependent[1], "type": f"{dependency.dependent[0]}_reference"},
    }


OPERATIONS: Final = (
    a_read("listServices", "/services", _list, "services.read"),
    a_read("getService", "/services/{}", _get, "services.read"),
    a_read(
        "getTechnicalServiceServiceDependencies",
        "/service_dependencies/technical_services/{}",
        lambda call: _dependencies_of(call, "technical_service", call.account.services),
        "services.read",
    ),
    a_read(
        "getBusinessServiceServiceDependencies",
        "/service_dependencies/business_services/{}",
        lambda call: _dependencies_of(call, "business_service", call.account.belongings.business_services),
        "services.read",
    ),
)
