"""/services and /service_dependencies."""

from collections.abc import Mapping
from typing import Final

from pagerduty_simulator.belongings import Dependency
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.answers import Answer, invalid, not_found
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page
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


def _associate(call: Call) -> Answer:
    wanted = call.body.get("relationships")
    if not isinstance(wanted, list) or not wanted:
        raise invalid("Relationships can't be blank")
    added = [_added(call, relationship) for relationship in wanted]
    return Answer(200, {"relationships": [_relationship(dependency) for dependency in added]})


def _added(call: Call, relationship: object) -> Dependency:
    """Return the dependency that these ends have now; one that is there already stays the only one."""
    ends = [
        _end(call, relationship.get(name)) if isinstance(relationship, dict) else None
        for name in ("supporting_service", "dependent_service")
    ]
    supporting, dependent = ends
    if supporting is None or dependent is None or supporting == dependent:
        raise invalid("Relationship is invalid")
    owned = call.account.belongings.dependencies
    for known in owned:
        if (known.supporting, known.dependent) == (supporting, dependent):
            return known
    owned.append(Dependency(f"D{len(owned) + 1:013}", supporting, dependent))
    return owned[-1]


def _end(call: Call, service: object) -> tuple[str, str] | None:
    if not isinstance(service, dict):
        return None
    kind = "business_service" if str(service.get("type")).startswith("business") else "technical_service"
    is_business = kind == "business_service"
    owned: Mapping[str, object] = (
        call.account.belongings.business_services if is_business else call.account.services
    )
    return (kind, service["id"]) if service.get("id") in owned else None


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
    a_write(
        "createServiceDependency", "POST", "/service_dependencies/associate", _associate, "services.write"
    ),
)
