"""Request a gathering: signal the incident's context workflow, and start it if it does not run."""

from temporalio.service import RPCError

from calmo_pagerduty.clients.contexts import ContextClient
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable


async def request_gathering(
    temporal: TemporalHandle, task_queue: str, public_address: str, ref: IncidentRef, reason: str
) -> None:
    """Request a context of the incident. Raises TemporalUnavailable."""
    try:
        await ContextClient(temporal.client, task_queue, public_address).start(ref, reason)
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error
