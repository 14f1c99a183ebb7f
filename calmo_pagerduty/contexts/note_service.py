"""Write an incident's context back as a note: an ordinary tool call, which the authorizer must admit."""

import logging
from datetime import UTC, datetime

from pydantic import ValidationError

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.service_key_store import get_or_insert_service_key
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.rendering.note import note_text
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.tool_calls.authorization_service import ToolAuthorizer
from calmo_pagerduty.tool_calls.model import OPEN_STATES, Channel
from calmo_pagerduty.tool_calls.record_service import CREATION_REFUSALS, ToolCallTicket
from calmo_pagerduty.tools.classes import Access
from calmo_pagerduty.tools.permissions import KEY_PERMISSION

logger = logging.getLogger(__name__)

NOTE_TOOL = "add_incident_note"
#: The name of the API key that writes the notes: revoking the key stops the notes.
KEY_PURPOSE = "Calmo's notes with incidents' contexts"


class NoteToWrite(FrozenModel):
    """The version of a context to write back to PagerDuty as a note."""

    ref: IncidentRef
    version: int


class ContextNoteService:
    """Creates the tool calls; their workflows carry them out, after an approval if one is required."""

    def __init__(self, database: Database, authorizer: ToolAuthorizer) -> None:
        self._database = database
        self._gate = authorizer

    async def create_call(self, order: NoteToWrite) -> ToolCallTicket | None:
        """Create the call for a version, only once. Return None if it is refused or done already.

        Raises StoreUnavailable.
        """
        ref = order.ref
        stored = await self._database.read(
            lambda t: contexts.get_version(t, EVERYTHING, ref.issue_id, order.version)
        )
        now = datetime.now(UTC)
        principal = await self._database.write(lambda t: _principal(t, ref, now))
        if stored is None or stored.document is None or principal is None:
            return None
        try:
            context = IncidentContext.model_validate(stored.document)
            arguments = {"incident_id": ref.incident_id, "content": note_text(context)}
            admission = await self._gate.admit(
                principal, Channel.TEMPORAL, ref.connection_id, NOTE_TOOL, arguments
            )
            call = await self._gate.create_call(admission, f"context-note:{ref.issue_id}:{order.version}")
        except (*CREATION_REFUSALS, ValidationError) as refusal:
            logger.warning("context_note_refused", extra={"reason": type(refusal).__name__})
            return None
        if call.state not in OPEN_STATES:
            return None
        return ToolCallTicket.of(call)


def _principal(tx: Transaction, ref: IncidentRef, now: datetime) -> Principal | None:
    connection = connections.get_connection(tx, EVERYTHING, ref.connection_id)
    if connection is None or not connection.context_note:
        return None
    key_id = get_or_insert_service_key(tx, KEY_PURPOSE, KEY_PERMISSION[Access.WRITE], connection.scope, now)
    return api_keys.get_principal(tx, key_id, now)
