"""Workers and replayers for a busy machine, by the SDK's plugins: what a client carries, its workers have."""

from datetime import timedelta
from typing import Any

from temporalio.client import (
    CreateScheduleInput,
    DeleteScheduleInput,
    DescribeScheduleInput,
    Interceptor,
    OutboundInterceptor,
    ScheduleDescription,
    ScheduleHandle,
    UpdateScheduleInput,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import ReplayerConfig, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from tests.support.patience import STORY


class PatientWorkflows(SimplePlugin):
    """The SDK takes a step of two seconds for a deadlock. On cores that others use, a step in the sandbox may
    take as long. Only the SDK's debug mode sets no limit; it runs the steps in the worker's own thread.
    """

    def __init__(self) -> None:
        super().__init__(
            "tests.patient_workflows", workflow_runner=_validated_once, interceptors=[_PatientCalls()]
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        return super().configure_worker({**config, "debug_mode": True})

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        return super().configure_replayer({**config, "debug_mode": True})


class _PatientCalls(Interceptor):
    """The SDK ends a call after thirty seconds. On a busy machine, what a schedule asks of the server, a
    workflow of its own, has once taken longer.
    """

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _PatientOutbound(next)


class _PatientOutbound(OutboundInterceptor):
    async def create_schedule(self, input: CreateScheduleInput) -> ScheduleHandle:
        input.rpc_timeout = _PATIENCE
        return await super().create_schedule(input)

    async def describe_schedule(self, input: DescribeScheduleInput) -> ScheduleDescription:
        input.rpc_timeout = _PATIENCE
        return await super().describe_schedule(input)

    async def update_schedule(self, input: UpdateScheduleInput) -> None:
        input.rpc_timeout = _PATIENCE
        await super().update_schedule(input)

    async def delete_schedule(self, input: DeleteScheduleInput) -> None:
        input.rpc_timeout = _PATIENCE
        await super().delete_schedule(input)


class _SandboxValidatedOnce(SandboxedWorkflowRunner):
    """Each new worker loads all its workflows into a sandbox, to see whether they can be. They can, or can't,
    for all workers of a process; the sandbox of each workflow that runs is its own.
    """

    def prepare_workflow(self, defn: Any) -> None:
        if defn.cls not in _VALIDATED:
            super().prepare_workflow(defn)
            _VALIDATED.add(defn.cls)


_VALIDATED: set[type] = set()
_PATIENCE = timedelta(seconds=STORY)


def _validated_once(chosen: WorkflowRunner | None) -> WorkflowRunner:
    if isinstance(chosen, SandboxedWorkflowRunner):
        return _SandboxValidatedOnce(restrictions=chosen.restrictions, runner_class=chosen.runner_class)
    assert chosen is not None
    return chosen
