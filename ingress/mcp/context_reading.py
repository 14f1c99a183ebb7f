"""Read the answer of `get_incident_context` from the database."""

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Visibility
from ingress.contexts.lookup import no_context_error
from ingress.mcp.context_tool import Json, build_digest


def read_context(
    transaction: Transaction, visibility: Visibility, issue_id: str, version: int | None
) -> Json:
    """Return the context's digest, or the progress of its gathering. Raises ResourceNotFound."""
    stored = contexts.get_version(transaction, visibility, issue_id, version)
    if stored is not None and stored.document is not None:
        return build_digest(IncidentContext.model_validate(stored.document))
    progress = contexts.get_progress(transaction, visibility, issue_id)
    if progress is None or version not in {None, progress.version}:
        raise no_context_error(transaction, visibility, issue_id, version)
    return {
        "state": progress.state,
        "version": progress.version,
        "sources": {report.source: report.state for report in progress.sources},
        "what": "ask again in a few seconds"
        if progress.finished_at is None
        else "the context could not be assembled",
    }
