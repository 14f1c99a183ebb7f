"""Have a context gathered: a signal to the incident's gathering, which is started if there is none."""

from temporalio.service import RPCError

from activities.context.requests import ContextToWant, want
from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.temporal_handle import TemporalHandle, TemporalUnavailable


async def gather(temporal: TemporalHandle, task_queue: str, ref: IncidentRef, reason: str) -> None:
    """Ask for a context. Raises TemporalUnavailable."""
    try:
        await want(temporal.client, task_queue, ContextToWant(ref=ref, reason=reason))
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error
