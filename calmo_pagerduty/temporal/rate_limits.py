"""Sets PagerDuty's rate limit at Temporal: calls per second for each connection.

A connection is a fairness key of the calls' task queue, so connections take turns, and a storm of one
doesn't delay another. Our database counts the requests of each call (connections/rate_limit_store.py).
This limit holds back calls that would only wait there.
"""

import logging

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.connections.rate_limit_store import DEFAULT_PER_MINUTE

logger = logging.getLogger(__name__)


async def limit_each_connection(
    client: Client, task_queue: str, per_minute: float = DEFAULT_PER_MINUTE
) -> None:
    """Set the rate of each connection, in calls per minute. A server without fairness refuses,
    which is logged: the database limits the rate anyway.
    """
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        identity=client.identity,
        task_queue=task_queue,
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    limit = RateLimit(requests_per_second=per_minute / 60)
    request.update_fairness_key_rate_limit_default.rate_limit.CopyFrom(limit)
    request.update_fairness_key_rate_limit_default.reason = "PagerDuty's limit, less what is left to others"
    try:
        await client.workflow_service.update_task_queue_config(request)
    except RPCError as error:
        logger.warning("connections_not_limited_by_temporal", extra={"error": error.status.name})
