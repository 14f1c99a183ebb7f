"""Maps the name of a PagerDuty priority to the severity of our issue."""

import re
from collections.abc import Mapping
from enum import StrEnum


class Severity(StrEnum):
    """Our severities, the worst first. Their colours: red, yellow, yellow, blue."""

    CRITICAL = "critical"
    WARNING = "warning"
    MEDIUM = "medium"
    INFO = "info"


#: Severity by priority name, in lower case. A connection may add rows for its own names.
SEVERITY_OF_PRIORITY: Mapping[str, Severity] = {
    "p1": Severity.CRITICAL,
    "p2": Severity.CRITICAL,
    "critical": Severity.CRITICAL,
    "high": Severity.CRITICAL,
    "p3": Severity.WARNING,
    "medium": Severity.WARNING,
    "p4": Severity.INFO,
    "p5": Severity.INFO,
    "low": Severity.INFO,
    "info": Severity.INFO,
}

#: Display colour by severity.
COLOUR_OF_SEVERITY: Mapping[Severity, str] = {
    Severity.CRITICAL: "red",
    Severity.WARNING: "yellow",
    Severity.MEDIUM: "yellow",
    Severity.INFO: "blue",
}

#: The severity of an incident without a priority, or with an unknown priority.
DEFAULT_SEVERITY = Severity.MEDIUM


def severity_of(priority: str | None, extra: Mapping[str, Severity] | None = None) -> Severity:
    """Return the severity for a priority's name, ignoring case and surrounding space.

    `extra` holds the connection's own rows from `own_severities`, which win over the common table.
    """
    if priority is None:
        return DEFAULT_SEVERITY
    name = _lowered(priority)
    if extra and name in extra:
        return extra[name]
    return SEVERITY_OF_PRIORITY.get(name, DEFAULT_SEVERITY)


def own_severities(rows: Mapping[str, str]) -> dict[str, Severity]:
    """Return a connection's own rows by priority name in lower case, for `severity_of`."""
    return {_lowered(priority): Severity(severity) for priority, severity in rows.items()}


def _lowered(priority: str) -> str:
    return priority.strip().casefold()


_RANKED_NAME = re.compile(r"([a-z]+)[ _-]?(\d{1,2})")


def is_more_severe(
    priority: str | None, severity: Severity, than: str | None, than_severity: Severity
) -> bool:
    """Tell whether a priority is more severe than another: by severity, then by its number (P1, P2).

    No priority counts as the default severity without a number.
    """
    order = tuple(Severity)
    if severity is not than_severity:
        return order.index(severity) < order.index(than_severity)
    rank, other = _name_and_rank(priority), _name_and_rank(than)
    return rank is not None and other is not None and rank[0] == other[0] and rank[1] < other[1]


def _name_and_rank(priority: str | None) -> tuple[str, int] | None:
    match = _RANKED_NAME.fullmatch(_lowered(priority)) if priority else None
    return (match[1], int(match[2])) if match else None
