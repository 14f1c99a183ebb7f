"""Find the incident and the context version that a request means, as far as the principal may see them."""

from dataclasses import dataclass, replace

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.api.errors import ResourceNotFound
from ingress.api.finding import (
    get_issue_of_incident,
    require_connection,
    require_incident,
    require_issue,
)
from ingress.contexts.models import context_path


@dataclass(frozen=True, slots=True)
class RequestedContext:
    """An incident whose context shall be gathered, and the version that this will make."""

    ref: IncidentRef
    version: int
    #: True if the incident is an issue here, or was gathered for before.
    is_known: bool = True


def context_of_issue(transaction: Transaction, visibility: Visibility, issue_id: str) -> RequestedContext:
    """Raises ResourceNotFound, NotAnIncident."""
    issue = require_issue(transaction, visibility, issue_id)
    require_incident(issue)
    return _requested_context(transaction, visibility, issue.ref)


def context_of_incident(
    transaction: Transaction, visibility: Visibility, incident_id: str, connection_id: str | None
) -> RequestedContext:
    """With a `connection_id`, the incident need not be an issue yet. Raises ResourceNotFound, Ambiguous."""
    if connection_id is not None:
        connection = require_connection(transaction, visibility, connection_id)
        ref = IncidentRef(connection_id=connection.id, incident_id=incident_id)
        is_known = is_issue(transaction, visibility, ref.issue_id)
        return replace(_requested_context(transaction, visibility, ref), is_known=is_known)
    issue = get_issue_of_incident(transaction, visibility, incident_id)
    if issue is None:
        raise ResourceNotFound(
            f"the incident {incident_id!r} is no issue here: name the connection to ask PagerDuty with"
        )
    return _requested_context(transaction, visibility, issue.ref)


def _requested_context(
    transaction: Transaction, visibility: Visibility, ref: IncidentRef
) -> RequestedContext:
    versions = contexts.list_versions(transaction, visibility, ref.issue_id)
    return RequestedContext(ref, versions[0].version + 1 if versions else 1)


def is_issue(transaction: Transaction, visibility: Visibility, issue_id: str) -> bool:
    """Return True if the issue exists, or if its incident has a context although it is no issue yet."""
    exists = issue_queries.get_issue(transaction, visibility, issue_id) is not None
    return exists or bool(contexts.list_versions(transaction, visibility, issue_id))


def is_incident(
    transaction: Transaction,
    visibility: Visibility,
    issue_id: str,
    connection_id: str | None,
    incident_id: str | None,
) -> bool:
    """Return True if `issue_id` belongs to this incident and the principal sees the connection."""
    if connection_id is None or incident_id is None:
        return False
    ref = IncidentRef(connection_id=connection_id, incident_id=incident_id)
    return (
        ref.issue_id == issue_id
        and connections.get_connection(transaction, visibility, connection_id) is not None
    )


def no_context_error(
    transaction: Transaction, visibility: Visibility, issue_id: str, version: int | None = None
) -> ResourceNotFound:
    """Return the error for an issue without context. It reveals nothing about issues of other scopes.

    Raises NotAnIncident.
    """
    if not is_issue(transaction, visibility, issue_id):
        return ResourceNotFound(f"there is no issue {issue_id!r}")
    if issue := issue_queries.get_issue(transaction, visibility, issue_id):
        require_incident(issue)
    if version is not None:
        return ResourceNotFound(f"the issue's context has no complete version {version}")
    path = context_path(issue_id)
    return ResourceNotFound(
        f"the issue has no context yet: POST {path} gathers it, {path}/progress shows the progress"
    )
