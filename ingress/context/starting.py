"""Have a context gathered: a signal to the incident's gathering, which is started if there is none."""

from temporalio.client import Client
from temporalio.service import RPCError

from activities.context.requests import ContextToWant, want
from calmo_pagerduty.domain.incident_references import IncidentRef
from ingress.api.errors import TemporalUnavailable


async def gather(client: Client | None, task_queue: str, ref: IncidentRef, reason: str) -> None:
    """Ask for a context. Raises TemporalUnavailable."""
    if client is None:
        raise TemporalUnavailable("not connected")
    try:
        await want(client, task_queue, ContextToWant(ref=ref, reason=reason))
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error
