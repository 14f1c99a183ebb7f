"""What `get_incident_context` answers with where the database is."""

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.contexts.lookup import no_context_error
from ingress.mcp.context_tool import Json, build_digest


def read_context(transaction: Transaction, seen_by: Visibility, issue_id: str, version: int | None) -> Json:
    """Return the digest, or how the gathering stands. Raises ResourceNotFound."""
    stored = contexts.get_version(transaction, seen_by, issue_id, version)
    if stored is not None and stored.document is not None:
        return build_digest(IncidentContext.model_validate(stored.document))
    progress = contexts.get_progress(transaction, seen_by, issue_id)
    if progress is None or version not in {None, progress.version}:
        raise no_context_error(transaction, seen_by, issue_id, version)
    return {
        "state": progress.state,
        "version": progress.version,
        "sources": {report.source: report.state for report in progress.sources},
        "what": "ask again in some seconds"
        if progress.finished_at is None
        else "it could not be put together",
    }
