"""An incident's response targets, as its workflow sees them: look at them when one is due."""

import logging
from datetime import UTC, datetime

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.service_key_store import own_key
from calmo_pagerduty.access.store import Caller
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.incidents import action_store as operations
from calmo_pagerduty.incidents import response_target_store as responses
from calmo_pagerduty.incidents.actions import ACTIONS, Action, tool_arguments
from calmo_pagerduty.incidents.response_target_store import Tracked
from calmo_pagerduty.incidents.response_targets import notice_key, wants_escalation
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.tool_calls.authorization_service import Intent, ToolGate
from calmo_pagerduty.tool_calls.model import OPEN_STATES, Face
from calmo_pagerduty.tool_calls.record_service import FILING_REFUSED, Filed
from calmo_pagerduty.tools.model import Access
from calmo_pagerduty.tools.permissions import KEY_PERMISSION

logger = logging.getLogger(__name__)

#: What the key is called by which missed targets are escalated: whoever revokes it ends that.
PURPOSE = "Calmo's response targets"


class TargetsToLookAt(FrozenModel):
    """`as_of` is Temporal's time, by which something is due: a worker's clock may be behind it."""

    ref: IncidentRef
    as_of: datetime | None = None


class TargetsLookedAt(FrozenModel):
    """When to look again, and the escalation to be carried out, if there is one."""

    due: datetime | None = None
    escalation: Filed | None = None


class ResponseRecords:
    """Says on the timeline what is near and missed; files the escalation, if the connection wants it."""

    def __init__(self, database: Database, gate: ToolGate) -> None:
        self._database = database
        self._gate = gate

    async def look_at_targets(self, order: TargetsToLookAt) -> TargetsLookedAt:
        """Say what is due, once, and file what follows from it, once. Raises StoreUnavailable."""
        now = max(datetime.now(UTC), order.as_of or datetime.min.replace(tzinfo=UTC))

        def write(tx: Transaction) -> Tracked | None:
            found = responses.tracked(tx, order.ref)
            if found is not None:
                responses.say(tx, found, now)
            return responses.tracked(tx, order.ref)

        found = await self._database.write(write)
        if found is None:
            return TargetsLookedAt()
        due = min((notice.at for notice in found.pending), default=None)
        return TargetsLookedAt(due=due, escalation=await self._escalation(found, now))

    async def _escalation(self, found: Tracked, now: datetime) -> Filed | None:
        """File the escalation of a missed target; None: there is nothing to do, or the gate refuses it."""
        goal = wants_escalation(found.progress, found.targets, now)
        if goal is None:
            return None
        ref, row = found.issue.ref, ACTIONS[Action.ESCALATE]
        arguments = tool_arguments(
            Action.ESCALATE, ref.incident_id, {"escalation_level": found.targets.escalation_level}
        )
        try:
            caller = await self._caller(found, now)
            if caller is None:
                return None
            admission = await self._gate.admit(caller, Face.TEMPORAL, ref.connection_id, row.tool, arguments)
            key = f"target:{ref.issue_id}:{notice_key(found.progress, goal)}"
            call = await self._gate.file(admission, key, Intent(ref.issue_id, Action.ESCALATE))
        except FILING_REFUSED as refusal:
            logger.warning("escalation_refused", extra={"reason": type(refusal).__name__})
            return None
        await self._database.write(lambda t: operations.accepted(t, call.id, now))
        if call.state not in OPEN_STATES:
            return None
        return Filed.of(call)

    async def _caller(self, found: Tracked, now: datetime) -> Caller | None:
        def write(tx: Transaction) -> Caller | None:
            needed = KEY_PERMISSION[Access.WRITE]
            key_id = own_key(tx, PURPOSE, needed, found.issue.scope, now)
            return api_keys.caller_of(tx, key_id, now)

        return await self._database.write(write)
