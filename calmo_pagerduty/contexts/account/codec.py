"""Facts as they are kept between steps: the surroundings' dataclasses as JSON, and back."""

from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from calmo_pagerduty.contexts.analysis.reading_accounts import Edge
from calmo_pagerduty.contexts.analysis.reading_logs import Handling
from calmo_pagerduty.contexts.analysis.surroundings import (
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
from calmo_pagerduty.pagerduty.webhook_events import Reference

T = TypeVar("T")


class Kind(Generic[T]):
    """One shape of facts."""

    def __init__(self, shape: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(shape)

    def json(self, value: T) -> Any:
        return self._adapter.dump_python(value, mode="json")

    def of(self, data: Any) -> T:
        """Raises ValueError (pydantic's) for what another version kept otherwise."""
        return self._adapter.validate_python(data)


INCIDENT: Kind[ThisIncident] = Kind(ThisIncident)
ALERTS: Kind[tuple[Alert, ...]] = Kind(tuple[Alert, ...])
LINES: Kind[tuple[LogLine, ...]] = Kind(tuple[LogLine, ...])
OPEN: Kind[tuple[OpenIncident, ...]] = Kind(tuple[OpenIncident, ...])
CHANGES: Kind[tuple[Change, ...]] = Kind(tuple[Change, ...])
CHANGE: Kind[Change] = Kind(Change)
PAST: Kind[PastIncident] = Kind(PastIncident)
HANDLING: Kind[Handling] = Kind(Handling)
NODE: Kind[Node] = Kind(Node)
NODES: Kind[tuple[Node, ...]] = Kind(tuple[Node, ...])
EDGES: Kind[tuple[Edge, ...]] = Kind(tuple[Edge, ...])
PEOPLE: Kind[tuple[Person, ...]] = Kind(tuple[Person, ...])
ON_CALL: Kind[tuple[OnCall, ...]] = Kind(tuple[OnCall, ...])
MAINTENANCE: Kind[tuple[Maintenance, ...]] = Kind(tuple[Maintenance, ...])
REFERENCES: Kind[tuple[Reference, ...]] = Kind(tuple[Reference, ...])
SCORES: Kind[tuple[tuple[str, float], ...]] = Kind(tuple[tuple[str, float], ...])
IDS: Kind[tuple[str, ...]] = Kind(tuple[str, ...])
NAMES: Kind[dict[str, str]] = Kind(dict[str, str])
