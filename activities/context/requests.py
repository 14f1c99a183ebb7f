"""Ask Temporal to gather an incident's context: an incident's workflow waits for no more than that."""

from temporalio import activity
from temporalio.client import Client

from calmo_pagerduty.context_client import ContextClient
from calmo_pagerduty.domain.context_runs import Reason
from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel


class ContextToWant(FrozenModel):
    ref: IncidentRef
    reason: Reason


class ContextRequests:
    """Starts contexts, or tells those under way of one more reason."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    @activity.defn
    async def want_context(self, order: ContextToWant) -> None:
        """Signal the gathering, starting it if need be. The same reason again changes nothing. Raises
        RPCError.
        """
        await want(self._client, self._task_queue, order)


async def want(client: Client, task_queue: str, order: ContextToWant) -> None:
    """Have a context gathered, by whoever wants it. Raises RPCError."""
    await ContextClient(client, task_queue).start(order.ref, order.reason)
