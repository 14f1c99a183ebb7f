"""Load what a request names. What the principal may not see is answered like what does not exist."""

from typing import TypeVar

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.queries import IssueFilter
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID, ISSUE_ID
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.api.errors import Ambiguous, NotAnIncident, ResourceNotFound

T = TypeVar("T")

#: A status of endpoints that take an incident's id, and what it means there.
SEVERAL_ISSUES = (409, "several connections have an issue of this incident: name the issue")


def require(value: T | None, kind: str, name: str) -> T:
    """Return `value`. Raises ResourceNotFound if it is None; the message has `kind` and `name`."""
    if value is None:
        raise ResourceNotFound(f"there is no {kind} {name[:60]!r}")
    return value


def require_connection(tx: Transaction, visibility: Visibility, connection_id: str) -> Connection:
    """Raises ResourceNotFound."""
    return require(connections.get_connection(tx, visibility, connection_id), "connection", connection_id)


def require_issue(tx: Transaction, visibility: Visibility, name: str) -> Issue:
    """Return the issue with this id, or that of PagerDuty's incident with it.

    Raises ResourceNotFound, Ambiguous.
    """
    if INCIDENT_ID.fullmatch(name):
        return require(get_issue_of_incident(tx, visibility, name), "issue", name)
    check_issue_id(name)
    return require(issue_queries.get_issue(tx, visibility, name), "issue", name)


def get_issue_of_incident(tx: Transaction, visibility: Visibility, incident_id: str) -> Issue | None:
    """Return the issue of PagerDuty's incident. Raises Ambiguous if several connections have one."""
    found = issue_queries.list_issues(tx, visibility, IssueFilter(incidents=(incident_id,)), 50).issues
    if len(found) > 1:
        names = ", ".join(f"{issue.ref.issue_id} ({issue.ref.connection_id})" for issue in found)
        raise Ambiguous(
            f"the incident {incident_id!r} is an issue of several connections,"
            f" name a connection or an issue: {names}"
        )
    return found[0] if found else None


def require_incident(issue: Issue) -> None:
    """Raises NotAnIncident if a finding opened the issue."""
    if issue.origin is IssueOrigin.FINDING:
        raise NotAnIncident(
            "a finding opened this issue, so PagerDuty has no incident to act on or to gather a context of."
            f" Mend what finding {issue.finding_id} says and the issue closes by itself, or accept or"
            f" dismiss the finding: calmo-pagerduty findings show {issue.finding_id}"
        )


def check_issue_id(issue_id: str) -> None:
    """Raises ResourceNotFound if the text cannot be an issue's id, without asking the database."""
    if not ISSUE_ID.fullmatch(issue_id):
        raise ResourceNotFound(f"there is no issue {issue_id[:60]!r}")
