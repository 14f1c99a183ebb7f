"""What surrounds a pack's incident, as REST tells it and our readers read it, without a wire between."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts.analysis import (
    parse_accounts as reading_accounts,
    parse_incidents as reading_incidents,
    parse_logs as reading_logs,
)
from calmo_pagerduty.contexts.analysis.inputs import (
    AssessmentInput,
    Change,
    Dependencies,
    Node,
    NodeKind,
    OpenIncident,
    PagerDutySuggestions,
    PastIncident,
)
from calmo_pagerduty.contexts.analysis.parse_incidents import parse_all
from pagerduty_simulator.account import Account
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest.calls import Call, Operation
from pagerduty_simulator.rest.tokens import Token
from pagerduty_simulator.rest_api import OPERATIONS

#: How far back changes and past incidents are read.
CHANGES = timedelta(days=30)
PAST = timedelta(days=180)
#: As many past incidents as a gathering reads the logs of.
READ_IN_FULL = 10
_NEAR = timedelta(hours=1)
_BY_ID: Mapping[str, Operation] = {operation.id: operation for operation in OPERATIONS}
_TOKEN = Token("key", "token")


class Wire:
    """Asks an account's REST operations directly."""

    def __init__(self, account: Account) -> None:
        self.site = AccountSite(account)

    def ask(self, operation: str, *parameters: str, **query: Any) -> Any:
        call = Call(self.site, _TOKEN, parameters, _query(query))
        return _BY_ID[operation].handle(call).body

    def all(self, operation: str, root: str, *parameters: str, **query: Any) -> list[Any]:
        """Return a list's objects, page after page."""
        found: list[Any] = []
        while True:
            page = self.ask(operation, *parameters, limit=100, offset=len(found), **query)
            found += page[root]
            if not page.get("more"):
                return found


def _query(query: Mapping[str, Any]) -> dict[str, list[str]]:
    """A name that ends in an underscore stands for one with brackets."""
    return {
        f"{name[:-1]}[]" if name.endswith("_") else name: [str(single) for single in value]
        if isinstance(value, list)
        else [str(value)]
        for name, value in query.items()
    }


def surroundings_of(account: Account, incident_id: str) -> AssessmentInput:
    """Return all that a gathering finds when no source fails."""
    wire, now = Wire(account), account.now()
    incident = reading_incidents.parse_this_incident(wire.ask("getIncident", incident_id)["incident"])
    assert incident is not None and incident.service is not None and incident.escalation_policy is not None
    services = wire.all("listServices", "services")
    nodes = {node.id: node for node in parse_all(reading_accounts.parse_service, services)}
    log = parse_all(
        reading_incidents.parse_log_line, wire.all("listIncidentLogEntries", "log_entries", incident_id)
    )
    changes_since, past_since = now - CHANGES, now - PAST
    policy_ids = [incident.escalation_policy.id]
    on_call = parse_all(
        reading_accounts.parse_on_call, wire.all("listOnCalls", "oncalls", escalation_policy_ids_=policy_ids)
    )
    names: dict[str, str] = {}
    for service in services:
        names |= reading_accounts.parse_referenced_names(service)
    people = parse_all(reading_accounts.parse_person, wire.all("listUsers", "users"))
    listed = wire.all("listIncidents", "incidents", since=_text(past_since), until=_text(now))
    return AssessmentInput(
        now=now,
        incident=incident,
        alerts=parse_all(
            reading_incidents.parse_alert, wire.all("listIncidentAlerts", "alerts", incident_id)
        ),
        log=tuple(sorted(log, key=lambda line: line.at)),
        notes=parse_all(reading_incidents.parse_note, wire.ask("listIncidentNotes", incident_id)["notes"]),
        dependencies=_dependencies(wire, nodes),
        priorities=reading_accounts.parse_priorities(wire.all("listPriorities", "priorities")),
        open_incidents=_around(listed, incident_id, incident.created_at),
        changes=_changes(wire, incident_id, _text(changes_since), _text(now)),
        changes_since=changes_since,
        past=_past(wire, listed, nodes, incident_id),
        past_since=past_since,
        on_call=tuple(row for row, _ in on_call),
        people={person.id: person for person in people},
        names=names,
        business_impacts=parse_all(
            reading_incidents.parse_impacted_service,
            wire.ask("getIncidentImpactedBusinessServices", incident_id)["services"],
        ),
        pagerduty_suggestions=PagerDutySuggestions(
            parse_all(
                reading_incidents.parse_scored_incident,
                wire.ask("getPastIncidents", incident_id)["past_incidents"],
            ),
            parse_all(
                reading_incidents.parse_related_incident,
                wire.ask("getRelatedIncidents", incident_id)["related_incidents"],
            ),
        ),
    )


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _dependencies(wire: Wire, technical: Mapping[str, Node]) -> Dependencies:
    business = parse_all(
        reading_accounts.parse_business_service, wire.all("listBusinessServices", "business_services")
    )
    nodes = {**technical, **{service.id: service for service in business}}
    edges: set[tuple[str, str]] = set()
    for node in nodes.values():
        kind = "Technical" if node.kind is NodeKind.TECHNICAL else "Business"
        answer = wire.ask(f"get{kind}ServiceServiceDependencies", node.id)
        for _, supporting, _, dependent in parse_all(
            reading_accounts.parse_dependency, answer["relationships"]
        ):
            edges.add((supporting, dependent))
    return Dependencies(nodes, frozenset(edges))


def _around(listed: list[Any], incident_id: str, created_at: datetime) -> tuple[OpenIncident, ...]:
    """Other incidents that are open, or that began within the hour before this one."""
    near = [
        incident
        for incident in listed
        if incident["id"] != incident_id
        and (incident["status"] != "resolved" or abs(_moment(incident["created_at"]) - created_at) <= _NEAR)
    ]
    return parse_all(reading_incidents.parse_open_incident, near)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _changes(wire: Wire, incident_id: str, since: str, until: str) -> tuple[Change, ...]:
    listed = wire.all("listChangeEvents", "change_events", since=since, until=until)
    related = wire.ask("listIncidentRelatedChangeEvents", incident_id)["change_events"]
    found = {change.id: change for change in parse_all(reading_incidents.parse_change, listed)}
    found |= {change.id: change for change in parse_all(reading_incidents.parse_related_change, related)}
    return tuple(found.values())


def _past(
    wire: Wire, listed: list[Any], nodes: Mapping[str, Node], incident_id: str
) -> tuple[PastIncident, ...]:
    """Newest first; the logs are read of those that PagerDuty finds alike."""
    alike = wire.ask("getPastIncidents", incident_id, limit=READ_IN_FULL)["past_incidents"]
    to_read = {similar["incident"]["id"] for similar in alike}
    this_at = wire.site.account.incidents[incident_id].created_at
    found = []
    for incident in parse_all(reading_incidents.parse_past_incident, listed):
        if incident.id == incident_id or incident.created_at >= this_at:
            continue
        own = nodes[incident.service_id].team_ids
        past = replace(
            incident, handed_to_team_ids=tuple(i for i in incident.handed_to_team_ids if i not in own)
        )
        if past.id in to_read:
            entries = wire.all("listIncidentLogEntries", "log_entries", past.id)
            past = reading_logs.with_handling(
                past, reading_logs.summarise_handling(parse_all(reading_incidents.parse_log_line, entries))
            )
        found.append(past)
    return tuple(sorted(found, key=lambda incident: incident.created_at, reverse=True))
