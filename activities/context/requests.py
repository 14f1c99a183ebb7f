"""Ask Temporal to gather an incident's context: an incident's workflow waits for no more than that."""

from temporalio import activity

from calmo_pagerduty.context_client import ContextClient
from calmo_pagerduty.domain.context_runs import Reason
from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.temporal_handle import TemporalHandle


class ContextToWant(FrozenModel):
    ref: IncidentRef
    reason: Reason


class ContextRequests:
    """Starts contexts, or tells those under way of one more reason."""

    def __init__(self, temporal: TemporalHandle, task_queue: str) -> None:
        self._temporal = temporal
        self._task_queue = task_queue

    @activity.defn
    async def want_context(self, order: ContextToWant) -> None:
        """Signal the gathering, starting it if need be. The same reason again changes nothing. Raises
        RPCError.
        """
        await ContextClient(self._temporal.client, self._task_queue).start(order.ref, order.reason)
