"""Check an incident's response targets when its workflow asks, and create the escalation of a miss."""

import logging
from datetime import UTC, datetime

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.service_key_store import get_or_insert_service_key
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import action_store as operations, response_target_store as target_store
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

#: The name of the API key that escalates missed targets. Revoking the key stops all escalations.
KEY_PURPOSE = "Calmo's response targets"


class TargetsToCheck(FrozenModel):
    """`as_of` is the workflow's time in UTC: a worker's clock may be behind it."""

    ref: IncidentRef
    as_of: datetime | None = None


class TargetsChecked(FrozenModel):
    """When to check again, in UTC, and the ticket of the escalation to start, if there is one."""

    due: datetime | None = None
    escalation: ToolCallTicket | None = None


class ResponseTargetService:
    """Puts near and missed targets on the timeline, and escalates a miss if the connection wants it."""

    def __init__(self, database: Database, authorizer: ToolAuthorizer) -> None:
        self._database = database
        self._authorizer = authorizer

    async def check_targets(self, order: TargetsToCheck) -> TargetsChecked:
        """Insert each due notice and create each escalation, once. Raises StoreUnavailable."""
        now = max(datetime.now(UTC), order.as_of or datetime.min.replace(tzinfo=UTC))

        def write(tx: Transaction) -> TrackedIssue | None:
            before = target_store.get_tracked_issue(tx, order.ref)
            if before is not None:
                target_store.insert_due_notices(tx, before, now)
            return target_store.get_tracked_issue(tx, order.ref)

        tracked = await self._database.write(write)
        if tracked is None:
            return TargetsChecked()
        due = min((notice.at for notice in tracked.pending), default=None)
        return TargetsChecked(due=due, escalation=await self._escalation(tracked, now))

    async def _escalation(self, tracked: TrackedIssue, now: datetime) -> ToolCallTicket | None:
        """Create the escalation of a missed target; None if no target needs it or the authorizer refuses."""
        goal = escalation_goal(tracked.clock, tracked.targets, now)
        if goal is None:
            return None
        ref, row = tracked.issue.ref, ACTIONS[Action.ESCALATE]
        arguments = tool_arguments(
            Action.ESCALATE, ref.incident_id, {"escalation_level": tracked.targets.escalation_level}
        )
        try:
            principal = await self._principal(tracked, now)
            if principal is None:
                return None
            admission = await self._authorizer.admit(
                principal, Channel.TEMPORAL, ref.connection_id, row.tool, arguments
            )
            key = f"target:{ref.issue_id}:{notice_key(tracked.clock, goal)}"
            call = await self._authorizer.create_call(
                admission, key, keep_operation(ref.issue_id, Action.ESCALATE)
            )
        except CREATION_REFUSALS as refusal:
            logger.warning("escalation_refused", extra={"reason": type(refusal).__name__})
            return None
        await self._database.write(lambda t: operations.mark_accepted(t, call.id, now))
        if call.state not in OPEN_STATES:
            return None
        return ToolCallTicket.of(call)

    async def _principal(self, tracked: TrackedIssue, now: datetime) -> Principal | None:
        def write(tx: Transaction) -> Principal | None:
            needed = KEY_PERMISSION[Access.WRITE]
            key_id = get_or_insert_service_key(tx, KEY_PURPOSE, needed, tracked.issue.scope, now)
            return api_keys.get_principal(tx, key_id, now)

        return await self._database.write(write)
