"""The two Temporal workers of a worker process."""

from datetime import timedelta

from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from bootstrap.services import Services
from calmo_pagerduty.temporal.rate_limits import limit_each_connection
from workflows import names
from workflows.account_memory import AccountMemoryWorkflow
from workflows.doctor import DoctorWorkflow
from workflows.incident import IncidentWorkflow
from workflows.incident_context import IncidentContextWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.tool_call import ToolCallWorkflow

WORKFLOWS = (
    IncidentWorkflow,
    ToolCallWorkflow,
    ReconcileWorkflow,
    DoctorWorkflow,
    IncidentContextWorkflow,
    AccountMemoryWorkflow,
)
#: In-flight steps may finish for this long after SIGTERM.
SHUTDOWN_GRACE = timedelta(seconds=4)


async def connect(services: Services) -> None:
    """Connect to Temporal, for as long as it takes, and tell it the pace of each connection's calls.

    Raises MissingSearchAttributes.
    """
    client = await services.temporal.connect(names.SEARCH_ATTRIBUTES)
    await limit_each_connection(client, names.pagerduty_queue(services.settings.task_queue))


def incident_worker(services: Services) -> Worker:
    """Workflows, and the short writes to our own database that they make. Raises TemporalUnavailable."""
    settings = services.settings
    return Worker(
        services.temporal.client,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=services.local_activities,
        # Purity is kept by import contracts, lint and replayed histories; tests run sandboxed.
        workflow_runner=SandboxedWorkflowRunner()
        if settings.workflow_sandbox
        else UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=settings.workflow_slots,
        max_cached_workflows=settings.cached_workflows,
        # Half of the polls for new incidents: with a burst coalesced, most steps are first steps, and
        # the default leaves them one poll of five.
        max_concurrent_workflow_task_polls=8,
        nonsticky_to_sticky_poll_ratio=0.5,
        sticky_queue_schedule_to_start_timeout=settings.sticky_timeout,
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
    )


def pagerduty_worker(services: Services) -> Worker:
    """What asks PagerDuty, on a queue of its own: a storm of it must not delay incidents.

    Raises TemporalUnavailable.
    """
    settings = services.settings
    return Worker(
        services.temporal.client,
        task_queue=names.pagerduty_queue(settings.task_queue),
        activities=services.pagerduty_activities,
        max_concurrent_activities=settings.pagerduty_slots,
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
    )
