"""/maintenance_windows."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from pagerduty_simulator.belongings import MaintenanceWindow
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject, service_reference, team_reference, user_reference
from pagerduty_simulator.resources import Team
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid, refused
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page, parse_moment, reference_id
from pagerduty_simulator.rest.objects import service_object

_FILTERS: Final = frozenset({"past", "future", "ongoing", "open", "all"})


def _object(call: Call, window: MaintenanceWindow) -> JsonObject:
    links = call.links
    teams: dict[str, Team] = {team.id: team for service in window.services for team in service.teams}
    full = call.includes("services")
    author = window.created_by
    return {
        "id": window.id,
        "type": "maintenance_window",
        "summary": window.description,
        "self": f"{links.api_url}/maintenance_windows/{window.id}",
        "html_url": f"{links.web_url}/service-directory/maintenance-windows/{window.id}",
        "sequence_number": window.sequence_number,
        "start_time": wire_seconds(window.start),
        "end_time": wire_seconds(window.end),
        "description": window.description,
        "services": [
            service_object(call.site, service) if full else service_reference(links, service)
            for service in window.services
        ],
        "teams": [team_reference(links, team) for team in teams.values()],
        "created_by": author and user_reference(links, author),
    }


def _phase(window: MaintenanceWindow, now: datetime) -> str:
    if window.end <= now:
        return "past"
    return "ongoing" if window.start <= now else "future"


def _list(call: Call) -> Answer:
    chosen = call.parameter("filter") or "all"
    if chosen not in _FILTERS:
        raise invalid("filter is unknown")
    phases = {"all": ("past", "ongoing", "future"), "open": ("ongoing", "future")}.get(chosen, (chosen,))
    team_ids, service_ids = call.set_of("team_ids"), call.set_of("service_ids")
    if team_ids:
        call.ability("teams")
    query = (call.parameter("query") or "").lower()
    windows = [
        window
        for window in call.account.belongings.maintenance_windows.values()
        if _phase(window, call.now) in phases
        and query in window.description.lower()
        and (not service_ids or any(service.id in service_ids for service in window.services))
        and (
            not team_ids or any(team.id in team_ids for service in window.services for team in service.teams)
        )
    ]
    return page(call, "maintenance_windows", windows, lambda window: _object(call, window))


def _get_window(call: Call) -> MaintenanceWindow:
    return lookup(call.account.belongings.maintenance_windows, call.parameters[0])


def _get(call: Call) -> Answer:
    return Answer(200, {"maintenance_window": _object(call, _get_window(call))})


def _create(call: Call) -> Answer:
    body = call.wrapped("maintenance_window")
    windows = call.account.belongings.maintenance_windows
    if not body.get("services"):
        raise invalid("Services cannot be empty")
    empty = MaintenanceWindow(call.site.new_id(), len(windows) + 1, call.now, call.now, "", (), call.user)
    for name in ("start_time", "end_time"):
        if not body.get(name):
            raise invalid(f"{name} cannot be empty")
    return Answer(201, _kept(call, _from_body(call, body, empty)))


def _update(call: Call) -> Answer:
    window = _get_window(call)
    if _phase(window, call.now) == "past":
        raise RestError(ERRORS["window_over"])
    return Answer(200, _kept(call, _from_body(call, call.wrapped("maintenance_window"), window)))


def _kept(call: Call, window: MaintenanceWindow) -> JsonObject:
    call.account.belongings.maintenance_windows[window.id] = window
    return {"maintenance_window": _object(call, window)}


def _from_body(call: Call, body: JsonObject, before: MaintenanceWindow) -> MaintenanceWindow:
    window = before
    if "start_time" in body:
        # A start in the past becomes now.
        window = replace(window, start=max(parse_moment(body["start_time"], "start_time"), call.now))
    if "end_time" in body:
        window = replace(window, end=parse_moment(body["end_time"], "end_time"))
    if window.end <= window.start:
        raise invalid("End time must be after start time")
    if "description" in body:
        window = replace(window, description=str(body["description"] or ""))
    if "services" in body:
        ids = [reference_id(service, "Service") for service in body["services"]]
        if any(service_id not in call.account.services for service_id in ids):
            raise refused(400, 5002, "Service Not Found")
        window = replace(window, services=tuple(call.account.services[service_id] for service_id in ids))
    return window


def _delete(call: Call) -> Answer:
    window, windows = _get_window(call), call.account.belongings.maintenance_windows
    match _phase(window, call.now):
        case "past":
            raise RestError(ERRORS["window_over"])
        case "ongoing":
            windows[window.id] = replace(window, end=call.now)
        case _:
            del windows[window.id]
    return Answer(204)


_ALL: Final = "/maintenance_windows"
_ONE: Final = "/maintenance_windows/{}"
_WRITE: Final = "services.write"

OPERATIONS: Final = (
    a_read("listMaintenanceWindows", _ALL, _list, "services.read"),
    a_write("createMaintenanceWindow", "POST", _ALL, _create, _WRITE, from_required=True),
    a_read("getMaintenanceWindow", _ONE, _get, "services.read"),
    a_write("updateMaintenanceWindow", "PUT", _ONE, _update, _WRITE),
    a_write("deleteMaintenanceWindow", "DELETE", _ONE, _delete, _WRITE),
)
