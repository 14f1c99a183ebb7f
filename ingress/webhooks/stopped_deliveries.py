"""Says why a delivery of the end-to-end test did not go on in time."""

from datetime import UTC, datetime

from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.task_queues import TaskKind, TaskQueues
from ingress.forwarding.forwarder import LEASE as FORWARDER_LEASE
from ingress.webhooks.tls_probe import NotDeliverable

_START_TEMPORAL = "start Temporal, or mend TEMPORAL_ADDRESS; what waits then goes on by itself"


async def why_not_forwarded(
    database: Database, temporal: TemporalHandle, queues: TaskQueues
) -> NotDeliverable:
    """Return why a kept delivery is not forwarded. Raises StoreUnavailable."""
    held = {lease.name for lease in await database.read(leases.list_leases)}
    if FORWARDER_LEASE not in held:
        return NotDeliverable(
            "the delivery waits in the inbox: no process forwards",
            "run an ingress in the role all or forwarder, connected with Temporal",
        )
    if not temporal.connected or await queues.states() is None:
        return NotDeliverable("the delivery waits in the inbox: Temporal does not answer", _START_TEMPORAL)
    return NotDeliverable(
        "the delivery waits in the inbox: the forwarder has not come to it",
        "Operations shows how many deliveries wait before it",
    )


async def why_no_issue(queues: TaskQueues) -> NotDeliverable:
    """Return why a workflow that has the event does not change the issue."""
    states = await queues.states()
    if states is None:
        return NotDeliverable("the workflow has the event, and Temporal no longer answers", _START_TEMPORAL)
    now = datetime.now(UTC)
    unserved = [
        queue.name
        for queue in states
        if queue.kind is TaskKind.WORKFLOWS and not any(poller.polls(now) for poller in queue.pollers)
    ]
    if unserved:
        return NotDeliverable(
            f"the workflow waits for a worker: none polls the task queue {unserved[0]}",
            "start a worker: calmo-pagerduty worker; calmo-pagerduty health worker shows whether it works",
        )
    return NotDeliverable(
        "a worker has the workflow, and the issue does not show the event",
        "open the workflow in the Temporal UI, and look at the worker's log: its database must be this one",
    )
