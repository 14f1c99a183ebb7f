"""What a request names, as its caller sees it. Of what is foreign, as of what is missing: NotFound."""

from typing import TypeVar

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.id_patterns import ISSUE_ID
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.api.errors import ResourceNotFound

T = TypeVar("T")


def require(found: T | None, what: str, known_as: str) -> T:
    """Return what was found. Raises NotFound, in the words that the request named it by."""
    if found is None:
        raise ResourceNotFound(f"there is no {what} {known_as[:60]!r}")
    return found


def require_connection(tx: Transaction, seen_by: Visibility, connection_id: str) -> Connection:
    """Raises NotFound."""
    return require(connections.get_connection(tx, seen_by, connection_id), "connection", connection_id)


def require_issue(tx: Transaction, seen_by: Visibility, issue_id: str) -> Issue:
    """Raises NotFound."""
    check_issue_id(issue_id)
    return require(issue_queries.get_issue(tx, seen_by, issue_id), "issue", issue_id)


def check_issue_id(issue_id: str) -> None:
    """Raises NotFound for what no issue's id looks like: a database need not be asked about it."""
    if not ISSUE_ID.fullmatch(issue_id):
        raise ResourceNotFound(f"there is no issue {issue_id[:60]!r}")
