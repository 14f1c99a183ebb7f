"""/business_services, and the impact of open incidents on them."""

from collections.abc import Iterable
from typing import Final

from pagerduty_simulator.belongings import BusinessService
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import Incident, Priority
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError
from pagerduty_simulator.rest.calls import Call, a_read, lookup, page
from pagerduty_simulator.rest.incidents import find_incident
from pagerduty_simulator.rest.service_graph import dependents, supporting

_MAX_PER_REQUEST: Final = 200
_MAX_IDS: Final = 100
_PRIORITY_FIELD: Final = "services.highest_impacting_priority"
_COUNT_FIELD: Final = "total_impacted_count"


def priority_order(call: Call, priority: Priority) -> int:
    """Return a priority's rank as a number: higher is more severe."""
    ids = list(call.account.priorities)
    return 64 << (len(ids) - ids.index(priority.id))


def _object(call: Call, service: BusinessService) -> JsonObject:
    team = service.team
    links = call.links
    return {
        "id": service.id,
        "type": "business_service",
        "summary": service.name,
        "self": f"{links.api_url}/business_services/{service.id}",
        "html_url": None,
        "name": service.name,
        "description": service.description,
        "point_of_contact": service.point_of_contact,
        "team": team
        and {"id": team.id, "type": "team_reference", "self": f"{links.api_url}/teams/{team.id}"},
    }


def _list(call: Call) -> Answer:
    services = list(call.account.belongings.business_services.values())
    return page(call, "business_services", services, lambda service: _object(call, service))


def _get(call: Call) -> Answer:
    service = lookup(call.account.belongings.business_services, call.parameters[0])
    return Answer(200, {"business_service": _object(call, service)})


def _impactors_of(call: Call, service: BusinessService) -> list[Incident]:
    """Return the open incidents on any technical service that supports it."""
    needed = supporting(call.account.belongings.dependencies, ("business_service", service.id))
    ids = {service_id for kind, service_id in needed if kind == "technical_service"}
    account = call.account
    incidents = (account.incidents[incident_id] for incident_id in account.open_incident_ids())
    return [incident for incident in incidents if incident.service.id in ids and incident.urgency == "high"]


def _impact(call: Call, service: BusinessService, impactors: list[Incident]) -> JsonObject:
    row: JsonObject = {
        "id": service.id,
        "name": service.name,
        "type": "business_service",
        "status": "impacted" if impactors else "not_impacted",
    }
    if _PRIORITY_FIELD in call.set_of("additional_fields"):
        priorities = [incident.priority for incident in impactors if incident.priority is not None]
        highest = max(priorities, key=lambda priority: priority_order(call, priority), default=None)
        row["additional_fields"] = {
            "highest_impacting_priority": highest
            and {"id": highest.id, "order": priority_order(call, highest)}
        }
    return row


def _asked(call: Call, services: Iterable[BusinessService]) -> list[BusinessService]:
    ids = call.set_of("ids")
    if len(ids) > _MAX_IDS:
        raise RestError(ERRORS["unprocessable"])
    return [service for service in services if not ids or service.id in ids]


def _impacts_of(call: Call, services: Iterable[BusinessService]) -> Answer:
    rows = [_impact(call, service, _impactors_of(call, service)) for service in _asked(call, services)]
    rows.sort(key=lambda row: row["status"] != "impacted")
    body: JsonObject = {"services": rows[:_MAX_PER_REQUEST], "limit": _MAX_PER_REQUEST, "more": False}
    if _COUNT_FIELD in call.set_of("additional_fields"):
        impacted = sum(row["status"] == "impacted" for row in rows)
        body["additional_fields"] = {_COUNT_FIELD: impacted}
    return Answer(200, body)


def _impacts(call: Call) -> Answer:
    return _impacts_of(call, call.account.belongings.business_services.values())


def _supporting_impacts(call: Call) -> Answer:
    owned = call.account.belongings.business_services
    service = lookup(owned, call.parameters[0])
    needed = supporting(call.account.belongings.dependencies, ("business_service", service.id))
    below = [owned[service_id] for kind, service_id in sorted(needed) if kind == "business_service"]
    return _impacts_of(call, below)


def _impactors(call: Call) -> Answer:
    services = _asked(call, call.account.belongings.business_services.values())
    found = {incident.id for service in services for incident in _impactors_of(call, service)}
    rows = [{"id": incident_id, "type": "incident"} for incident_id in sorted(found)]
    return Answer(200, {"impactors": rows[:_MAX_PER_REQUEST], "limit": _MAX_PER_REQUEST, "more": False})


def _impacted_by_incident(call: Call) -> Answer:
    incident, owned = find_incident(call, call.parameters[0]), call.account.belongings
    rows = []
    if incident.id in call.account.open_ids and incident.urgency == "high":
        above = dependents(owned.dependencies, ("technical_service", incident.service.id))
        hit = (
            business_service
            for business_service in owned.business_services.values()
            if ("business_service", business_service.id) in above
        )
        rows = [_impact(call, service, [incident]) for service in hit]
    return Answer(200, {"services": rows, "limit": _MAX_PER_REQUEST, "next_cursor": None})


_SCOPE: Final = "services.read"
_ABILITY: Final = "business_services"

OPERATIONS: Final = (
    a_read("listBusinessServices", "/business_services", _list, _SCOPE),
    a_read("getBusinessServiceImpacts", "/business_services/impacts", _impacts, _SCOPE, ability=_ABILITY),
    a_read(
        "getBusinessServiceTopLevelImpactors",
        "/business_services/impactors",
        _impactors,
        _SCOPE,
        ability=_ABILITY,
    ),
    a_read("getBusinessService", "/business_services/{}", _get, _SCOPE),
    a_read(
        "getBusinessServiceSupportingServiceImpacts",
        "/business_services/{}/supporting_services/impacts",
        _supporting_impacts,
        _SCOPE,
        ability=_ABILITY,
    ),
    a_read(
        "getIncidentImpactedBusinessServices",
        "/incidents/{}/business_services/impacts",
        _impacted_by_incident,
        "incidents.read",
        ability=_ABILITY,
    ),
)
