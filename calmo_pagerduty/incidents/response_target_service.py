"""An incident's response targets, as its workflow sees them: look at them when one is due."""

import logging
from datetime import UTC, datetime

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.service_key_store import get_or_insert_service_key
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.incidents import action_store as operations
from calmo_pagerduty.incidents import response_target_store as responses
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.action_observer import keep_operation
from calmo_pagerduty.incidents.actions import ACTIONS, tool_arguments
from calmo_pagerduty.incidents.response_target_store import TrackedIssue
from calmo_pagerduty.incidents.response_targets import escalation_goal, notice_key
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.tool_calls.authorization_service import ToolAuthorizer
from calmo_pagerduty.tool_calls.model import OPEN_STATES, Channel
from calmo_pagerduty.tool_calls.record_service import CREATION_REFUSALS, ToolCallTicket
from calmo_pagerduty.tools.classes import Access
from calmo_pagerduty.tools.permissions import KEY_PERMISSION

logger = logging.getLogger(__name__)

#: What the key is called by which missed targets are escalated: whoever revokes it ends that.
KEY_PURPOSE = "Calmo's response targets"


class TargetsToCheck(FrozenModel):
    """`as_of` is Temporal's time, by which something is due: a worker's clock may be behind it."""

    ref: IncidentRef
    as_of: datetime | None = None


class TargetsChecked(FrozenModel):
    """When to look again, and the escalation to be carried out, if there is one."""

    due: datetime | None = None
    escalation: ToolCallTicket | None = None


class ResponseTargetService:
    """Says on the timeline what is near and missed; files the escalation, if the connection wants it."""

    def __init__(self, database: Database, authorizer: ToolAuthorizer) -> None:
        self._database = database
        self._gate = authorizer

    async def check_targets(self, order: TargetsToCheck) -> TargetsChecked:
        """Say what is due, once, and file what follows from it, once. Raises StoreUnavailable."""
        now = max(datetime.now(UTC), order.as_of or datetime.min.replace(tzinfo=UTC))

        def write(tx: Transaction) -> TrackedIssue | None:
            found = responses.get_tracked_issue(tx, order.ref)
            if found is not None:
                responses.insert_due_notices(tx, found, now)
            return responses.get_tracked_issue(tx, order.ref)

        found = await self._database.write(write)
        if found is None:
            return TargetsChecked()
        due = min((notice.at for notice in found.pending), default=None)
        return TargetsChecked(due=due, escalation=await self._escalation(found, now))

    async def _escalation(self, found: TrackedIssue, now: datetime) -> ToolCallTicket | None:
        """File the escalation of a missed target; None: there is nothing to do, or the gate refuses it."""
        goal = escalation_goal(found.clock, found.targets, now)
        if goal is None:
            return None
        ref, row = found.issue.ref, ACTIONS[Action.ESCALATE]
        arguments = tool_arguments(
            Action.ESCALATE, ref.incident_id, {"escalation_level": found.targets.escalation_level}
        )
        try:
            caller = await self._principal(found, now)
            if caller is None:
                return None
            admission = await self._gate.admit(
                caller, Channel.TEMPORAL, ref.connection_id, row.tool, arguments
            )
            key = f"target:{ref.issue_id}:{notice_key(found.clock, goal)}"
            call = await self._gate.create_call(admission, key, keep_operation(ref.issue_id, Action.ESCALATE))
        except CREATION_REFUSALS as refusal:
            logger.warning("escalation_refused", extra={"reason": type(refusal).__name__})
            return None
        await self._database.write(lambda t: operations.mark_accepted(t, call.id, now))
        if call.state not in OPEN_STATES:
            return None
        return ToolCallTicket.of(call)

    async def _principal(self, found: TrackedIssue, now: datetime) -> Principal | None:
        def write(tx: Transaction) -> Principal | None:
            needed = KEY_PERMISSION[Access.WRITE]
            key_id = get_or_insert_service_key(tx, KEY_PURPOSE, needed, found.issue.scope, now)
            return api_keys.get_principal(tx, key_id, now)

        return await self._database.write(write)
