"""Convert an assessment's inputs to the JSON that is stored between steps, and back."""

from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from calmo_pagerduty.contexts.analysis.inputs import (
    Alert,
    Change,
    LogLine,
    Maintenance,
    Node,
    OnCall,
    OpenIncident,
    PastIncident,
    Person,
    ThisIncident,
)
from calmo_pagerduty.contexts.analysis.parse_accounts import Edge
from calmo_pagerduty.contexts.analysis.parse_logs import IncidentHandling
from calmo_pagerduty.pagerduty.webhook_events import Reference

T = TypeVar("T")


class JsonCodec(Generic[T]):
    """Converts values of one type to JSON and back."""

    def __init__(self, shape: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(shape)

    def to_json(self, value: T) -> Any:
        return self._adapter.dump_python(value, mode="json")

    def from_json(self, data: Any) -> T:
        """Return the value. Raises ValueError (pydantic's) for another version's JSON of another shape."""
        return self._adapter.validate_python(data)


INCIDENT: JsonCodec[ThisIncident] = JsonCodec(ThisIncident)
ALERTS: JsonCodec[tuple[Alert, ...]] = JsonCodec(tuple[Alert, ...])
LINES: JsonCodec[tuple[LogLine, ...]] = JsonCodec(tuple[LogLine, ...])
OPEN: JsonCodec[tuple[OpenIncident, ...]] = JsonCodec(tuple[OpenIncident, ...])
CHANGES: JsonCodec[tuple[Change, ...]] = JsonCodec(tuple[Change, ...])
CHANGE: JsonCodec[Change] = JsonCodec(Change)
PAST: JsonCodec[PastIncident] = JsonCodec(PastIncident)
HANDLING: JsonCodec[IncidentHandling] = JsonCodec(IncidentHandling)
NODE: JsonCodec[Node] = JsonCodec(Node)
NODES: JsonCodec[tuple[Node, ...]] = JsonCodec(tuple[Node, ...])
EDGES: JsonCodec[tuple[Edge, ...]] = JsonCodec(tuple[Edge, ...])
PEOPLE: JsonCodec[tuple[Person, ...]] = JsonCodec(tuple[Person, ...])
ON_CALL: JsonCodec[tuple[OnCall, ...]] = JsonCodec(tuple[OnCall, ...])
MAINTENANCE: JsonCodec[tuple[Maintenance, ...]] = JsonCodec(tuple[Maintenance, ...])
REFERENCES: JsonCodec[tuple[Reference, ...]] = JsonCodec(tuple[Reference, ...])
SCORES: JsonCodec[tuple[tuple[str, float], ...]] = JsonCodec(tuple[tuple[str, float], ...])
IDS: JsonCodec[tuple[str, ...]] = JsonCodec(tuple[str, ...])
NAMES: JsonCodec[dict[str, str]] = JsonCodec(dict[str, str])
