"""The endpoints of PagerDuty's paid add-on: past, related and outlier incidents."""

import re
from bisect import bisect_left
from datetime import timedelta
from typing import Final

from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import Incident
from pagerduty_simulator.rest.answers import Answer
from pagerduty_simulator.rest.calls import Call, a_read, limit_of
from pagerduty_simulator.rest.incidents import find_incident
from pagerduty_simulator.rest.service_graph import Node, neighbours

_SIX_MONTHS: Final = timedelta(days=183)
_FOUR_MONTHS: Final = timedelta(days=120)
_SAME_TIME: Final = timedelta(hours=1)
_MAX_RELATED: Final = 20
_WORD: Final = re.compile(r"[a-z]+")


def _words(title: str) -> frozenset[str]:
    return frozenset(_WORD.findall(title.lower()))


def _similarity(words: frozenset[str], other: frozenset[str]) -> float:
    return len(words & other) / len(words | other) if words | other else 0.0


def _stub(call: Call, incident: Incident) -> JsonObject:
    return {
        "id": incident.id,
        "created_at": wire_seconds(incident.created_at),
        "self": f"{call.links.api_url}/incidents/{incident.id}",
        "title": incident.title,
    }


def _earlier(call: Call, incident: Incident, span: timedelta) -> list[Incident]:
    """Return the same service's incidents within `span` before this incident, newest first."""
    account, order = call.account, call.account.incident_order
    begin = incident.created_at - span
    first = bisect_left(order, begin, key=lambda incident_id: account.incidents[incident_id].created_at)
    earlier = (account.incidents[incident_id] for incident_id in reversed(order[first : incident.number - 1]))
    return [past for past in earlier if past.service.id == incident.service.id]


def _past(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    words = _words(incident.title)
    scored = [
        (round(100 * _similarity(words, _words(past.title)), 4), past)
        for past in _earlier(call, incident, _SIX_MONTHS)
    ]
    similar = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: pair[0], reverse=True)
    limit = limit_of(call, default=5, largest=999)
    rows = [{"incident": _stub(call, past), "score": score} for score, past in similar[:limit]]
    body: JsonObject = {"past_incidents": rows, "limit": limit}
    return Answer(200, body | ({"total": len(similar)} if call.parameter("total") == "true" else {}))


def _related(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    account, order, words = call.account, call.account.incident_order, _words(incident.title)
    node: Node = ("technical_service", incident.service.id)
    neighbour_nodes = neighbours(account.belongings.dependencies, node)
    first, last = (
        bisect_left(order, at, key=lambda incident_id: account.incidents[incident_id].created_at)
        for at in (incident.created_at - _SAME_TIME, incident.created_at + _SAME_TIME)
    )
    rows: list[JsonObject] = []
    for other in (account.incidents[incident_id] for incident_id in order[first:last]):
        if other.id == incident.id:
            continue
        relationships = _relationships(other, neighbour_nodes, node, _similarity(words, _words(other.title)))
        if relationships:
            rows.append({"incident": _stub(call, other), "relationships": relationships})
    return Answer(200, {"related_incidents": rows[:_MAX_RELATED]})


def _relationships(
    other: Incident, neighbour_nodes: set[Node], node: Node, similarity: float
) -> list[JsonObject]:
    relationships: list[JsonObject] = []
    if similarity >= 0.5:
        feedback = {"positive_feedback_count": 0, "negative_feedback_count": 0}
        metadata = {"grouping_classification": "similar_contents", "user_feedback": feedback}
        relationships.append({"type": "machine_learning_inferred", "metadata": metadata})
    other_node: Node = ("technical_service", other.service.id)
    if other_node in neighbour_nodes:
        ends = {"dependent_services": node, "supporting_services": other_node}
        services = {
            name: {"id": id_, "type": f"{kind}_reference", "self": None} for name, (kind, id_) in ends.items()
        }
        relationships.append({"type": "service_dependency", "metadata": services})
    return relationships


def _outlier(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    since = call.moment("since") or incident.created_at - _FOUR_MONTHS
    words = _words(incident.title)
    span = max(incident.created_at - since, timedelta(days=1))
    earlier = _earlier(call, incident, span)
    count = sum(_similarity(words, _words(past.title)) >= 0.8 for past in earlier)
    category = "anomaly" if count == 0 else "rare" if count < 10 else "frequent"
    occurrence = {
        "count": count,
        "frequency": round(count / max(len(earlier), 1), 4),
        "category": category,
        "since": wire_seconds(since),
        "until": wire_seconds(incident.created_at),
    }
    template = {
        "id": f"T{incident.service.id[1:]}",
        "cluster_id": f"C{incident.service.id[1:]}",
        "mined_text": re.sub(r"\d+", "<*>", incident.title),
    }
    body = {
        "incident": _stub(call, incident) | {"occurrence": occurrence},
        "incident_template": template,
    }
    return Answer(200, {"outlier_incident": body})


_SCOPE: Final = "incidents.read"
_ABILITY: Final = "event_intelligence"

OPERATIONS: Final = (
    a_read("getPastIncidents", "/incidents/{}/past_incidents", _past, _SCOPE, ability=_ABILITY),
    a_read("getRelatedIncidents", "/incidents/{}/related_incidents", _related, _SCOPE, ability=_ABILITY),
    a_read("getOutlierIncident", "/incidents/{}/outlier_incident", _outlier, _SCOPE, ability=_ABILITY),
)
