"""What a request about a context means, as far as its caller may see."""

from dataclasses import dataclass

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.queries import IssueFilter
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.api.errors import Ambiguous, ResourceNotFound
from ingress.api.finding import require_connection, require_issue
from ingress.contexts.models import context_path


@dataclass(frozen=True, slots=True)
class RequestedContext:
    """What is to be gathered, and the version that it will be."""

    ref: IncidentRef
    version: int


def context_of_issue(transaction: Transaction, seen_by: Visibility, issue_id: str) -> RequestedContext:
    """Raises ResourceNotFound."""
    return _requested_context(transaction, seen_by, require_issue(transaction, seen_by, issue_id).ref)


def context_of_incident(
    transaction: Transaction, seen_by: Visibility, incident_id: str, connection_id: str | None
) -> RequestedContext:
    """Raises ResourceNotFound, Ambiguous. With a connection named, the incident need not be an issue yet."""
    if connection_id is not None:
        connection = require_connection(transaction, seen_by, connection_id)
        ref = IncidentRef(connection_id=connection.id, incident_id=incident_id)
        return _requested_context(transaction, seen_by, ref)
    page = issue_queries.list_issues(transaction, seen_by, IssueFilter(incidents=(incident_id,)), 50)
    if not page.issues:
        raise ResourceNotFound(
            f"the incident {incident_id!r} is no issue here: name the connection to ask as"
        )
    if len(page.issues) > 1:
        names = ", ".join(listed.ref.connection_id for listed in page.issues)
        raise Ambiguous(f"the incident {incident_id!r} is an issue of several connections: name one: {names}")
    (issue,) = page.issues
    return _requested_context(transaction, seen_by, issue.ref)


def _requested_context(transaction: Transaction, seen_by: Visibility, ref: IncidentRef) -> RequestedContext:
    found = contexts.list_versions(transaction, seen_by, ref.issue_id)
    return RequestedContext(ref, found[0].version + 1 if found else 1)


def is_issue(transaction: Transaction, seen_by: Visibility, issue_id: str) -> bool:
    """Tell whether there is such an issue, or an incident that was gathered before it became one."""
    known = issue_queries.get_issue(transaction, seen_by, issue_id) is not None
    return known or bool(contexts.list_versions(transaction, seen_by, issue_id))


def is_incident(
    transaction: Transaction,
    seen_by: Visibility,
    issue_id: str,
    connection_id: str | None,
    incident_id: str | None,
) -> bool:
    """Tell whether the issue will be of this incident, on a connection that the caller sees."""
    if connection_id is None or incident_id is None:
        return False
    ref = IncidentRef(connection_id=connection_id, incident_id=incident_id)
    return (
        ref.issue_id == issue_id
        and connections.get_connection(transaction, seen_by, connection_id) is not None
    )


def no_context_error(
    transaction: Transaction, seen_by: Visibility, issue_id: str, version: int | None = None
) -> ResourceNotFound:
    """Return what to answer where there is no context; of what is foreign nothing is told."""
    if not is_issue(transaction, seen_by, issue_id):
        return ResourceNotFound(f"there is no issue {issue_id!r}")
    if version is not None:
        return ResourceNotFound(f"the issue's context has no version {version} that is complete")
    path = context_path(issue_id)
    return ResourceNotFound(
        f"the issue has no context yet: POST {path} has one gathered, {path}/progress follows it"
    )
