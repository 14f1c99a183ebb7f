"""The two Temporal workers of a worker process."""

from datetime import timedelta

from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from bootstrap.services import Services
from calmo_pagerduty import __version__
from calmo_pagerduty.temporal.rate_limits import limit_each_connection
from workflows import names
from workflows.account_memory import AccountMemoryWorkflow
from workflows.doctor import DoctorWorkflow
from workflows.escalation_drill import EscalationDrillWorkflow
from workflows.incident import IncidentWorkflow
from workflows.incident_context import IncidentContextWorkflow
from workflows.oncall_analysis import OnCallAnalysisWorkflow
from workflows.oncall_digest import OnCallDigestWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.report import ReportWorkflow
from workflows.rough_night import RoughNightWorkflow
from workflows.tool_call import ToolCallWorkflow

WORKFLOWS = (
    IncidentWorkflow,
    ToolCallWorkflow,
    ReconcileWorkflow,
    DoctorWorkflow,
    IncidentContextWorkflow,
    AccountMemoryWorkflow,
    OnCallDigestWorkflow,
    OnCallAnalysisWorkflow,
    EscalationDrillWorkflow,
    RoughNightWorkflow,
    ReportWorkflow,
)
#: Activities in progress may finish within this time after SIGTERM.
SHUTDOWN_GRACE = timedelta(seconds=4)
#: Workers say their release, which Temporal shows. It does not route by it.
RELEASE = WorkerDeploymentConfig(
    version=WorkerDeploymentVersion(deployment_name="calmo-pagerduty", build_id=__version__),
    use_worker_versioning=False,
)


async def connect(services: Services) -> None:
    """Connect to Temporal, retrying without a time limit, and set the rate limit of each connection.

    Raises MissingSearchAttributes.
    """
    client = await services.temporal.connect(names.SEARCH_ATTRIBUTES)
    await limit_each_connection(client, names.pagerduty_queue(services.settings.task_queue))


def incident_worker(services: Services) -> Worker:
    """Return the worker for workflows and their short database writes. Raises TemporalUnavailable."""
    settings = services.settings
    return Worker(
        services.temporal.client,
        task_queue=settings.task_queue,
        workflows=WORKFLOWS,
        activities=services.local_activities,
        # Import contracts, lint and replayed histories ensure determinism; tests use the sandbox.
        workflow_runner=SandboxedWorkflowRunner()
        if settings.workflow_sandbox
        else UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=settings.workflow_slots,
        max_cached_workflows=settings.cached_workflows,
        # Bursts are coalesced, so most workflow tasks are first tasks, on the non-sticky queue: it gets
        # half of the polls. The SDK's default gives it one of five.
        max_concurrent_workflow_task_polls=8,
        nonsticky_to_sticky_poll_ratio=0.5,
        sticky_queue_schedule_to_start_timeout=settings.sticky_timeout,
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
        deployment_config=RELEASE,
    )


def pagerduty_worker(services: Services) -> Worker:
    """Return the worker for calls to PagerDuty. It has its own queue, so that a storm delays no incident.

    Raises TemporalUnavailable.
    """
    settings = services.settings
    return Worker(
        services.temporal.client,
        task_queue=names.pagerduty_queue(settings.task_queue),
        activities=services.pagerduty_activities,
        max_concurrent_activities=settings.pagerduty_slots,
        graceful_shutdown_timeout=SHUTDOWN_GRACE,
        deployment_config=RELEASE,
    )
