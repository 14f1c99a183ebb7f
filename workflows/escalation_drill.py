"""Hold an escalation drill: open a marked incident, watch who is paged, escalate, acknowledge, resolve."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.drills import DrillActivities
    from calmo_pagerduty.escalation.drill import DrillState, DrillStep
    from calmo_pagerduty.escalation.drill_service import (
        BegunDrill,
        DrillRef,
        DrillStepToFile,
        DrillToBegin,
        DrillToFinish,
        FinishedDrill,
        Sighting,
        drill_id_of,
    )
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.tool_calls.model import CallState
    from workflows import activity_options, names
    from workflows.ordered_call import run_call

#: How long PagerDuty's log may lag behind a step of ours.
SETTLE = timedelta(seconds=10)
#: How long after its watching a drill may take for escalation and acknowledgement.
EXERCISE_GRACE = timedelta(minutes=4)
#: How often an incident that isn't resolved yet is resolved again, and after how long.
RESOLVE_ATTEMPTS = 5
RESOLVE_PAUSE = timedelta(seconds=30)
#: How often, and how far apart, a cancelled drill looks for an incident that may still appear.
LATE_LOOKS = 4
LATE_PAUSE = timedelta(seconds=5)


class DrillStart(FrozenModel):
    """`ends` names a drill whose workflow was lost: only its incident is resolved, and its result saved."""

    connection_id: str
    service_id: str
    key_id: str | None = None
    #: Made by our API for exactly this drill, if it names a key.
    proof: str | None = None
    watch_seconds: int = 300
    #: How often the incident is looked at.
    look_every_seconds: int = 20
    ends: str | None = None


@workflow.defn(name=names.ESCALATION_DRILL_WORKFLOW)
class EscalationDrillWorkflow:
    """Takes no messages. The report is in our database; the result holds ids and counts.

    Whatever happens once the call that opens the incident was filed, the incident is resolved at the end:
    after the watching, at the deadline, and when an operator cancels this workflow.
    """

    @workflow.init
    def __init__(self, start: DrillStart) -> None:
        self._drill = DrillRef(drill_id=start.ends or drill_id_of(workflow.info().run_id))
        self._connection_id = start.connection_id
        self._look_every = timedelta(seconds=start.look_every_seconds)

    @workflow.run
    async def run(self, start: DrillStart) -> FinishedDrill:
        if start.ends is not None:
            return await self._end()
        begun = await self._begin(start)
        if begun.ticket is None:
            workflow.set_current_details("**Refused**: `calmo-pagerduty escalation drills` says why.")
            return FinishedDrill(drill_id=self._drill.drill_id, state=DrillState.REFUSED)
        try:
            workflow.set_current_details("The call that opens the incident may wait for an approval.")
            if await run_call(begun.ticket) is CallState.DONE and await self._mark_opened():
                await self._exercise(timedelta(seconds=start.watch_seconds))
        except (FailureError, TimeoutError, asyncio.CancelledError) as error:
            workflow.logger.warning("drill_interrupted", extra={"error": type(error).__name__})
            if is_cancelled_exception(error) or isinstance(error, asyncio.CancelledError):
                await self._end_cancelled()
                raise
        return await self._end()

    async def _exercise(self, watch: timedelta) -> None:
        """Watch, escalate, watch, acknowledge. Raises TimeoutError at the deadline."""
        async with asyncio.timeout((watch + EXERCISE_GRACE).total_seconds()):
            seen = await self._watch(watch)
            if not seen.is_open or seen.is_acknowledged:
                return
            if await self._step(DrillStep.ESCALATE):
                await workflow.sleep(min(SETTLE, self._look_every))
                seen = await self._look()
            if seen.is_open and not seen.is_acknowledged:
                await self._step(DrillStep.ACKNOWLEDGE)

    async def _watch(self, watch: timedelta) -> Sighting:
        """Look until the time is over, or until somebody acknowledges or resolves the incident."""
        until = workflow.now() + watch
        while True:
            seen = await self._look()
            workflow.set_current_details(f"**Watching** until {until:%H:%M} UTC: {seen.pages} notifications.")
            left = until - workflow.now()
            if not seen.is_open or seen.is_acknowledged or left <= timedelta(0):
                return seen
            await workflow.sleep(min(self._look_every, left))

    async def _step(self, step: DrillStep) -> bool:
        """Make the step's call. Returns False if it is not allowed, or did not succeed."""
        order = DrillStepToFile(drill_id=self._drill.drill_id, step=step)
        begun = await self._file(order)
        if begun.ticket is None or await run_call(begun.ticket) is not CallState.DONE:
            return False
        await workflow.execute_local_activity_method(
            DrillActivities.mark_drill_step_done, order, **activity_options.STORE
        )
        return True

    async def _end_cancelled(self) -> None:
        """End the drill for whoever cancelled it.

        A request to open the incident may have been on its way, so that it appears a moment later.
        """
        for _ in range(LATE_LOOKS):
            with contextlib.suppress(ActivityError):
                if (await self._look()).is_open is not None:
                    break
            await workflow.sleep(min(LATE_PAUSE, self._look_every))
        await self._end(is_cancelled=True)

    async def _end(self, is_cancelled: bool = False) -> FinishedDrill:
        """Resolve the incident if there is one, and save what the drill showed."""
        is_resolved = False
        for attempt in range(RESOLVE_ATTEMPTS):
            if attempt:
                await workflow.sleep(RESOLVE_PAUSE)
            is_resolved = await self._resolve()
            if is_resolved:
                break
        finished: FinishedDrill = await workflow.execute_activity_method(
            DrillActivities.finish_drill,
            DrillToFinish(drill_id=self._drill.drill_id, is_resolved=is_resolved, is_cancelled=is_cancelled),
            **self._pagerduty("compare with the simulation"),
        )
        workflow.set_current_details(f"**{finished.state}**, {finished.differences} differences.")
        return finished

    async def _resolve(self) -> bool:
        """Return whether PagerDuty says that the incident is resolved, or that there is none."""
        try:
            if not (await self._look()).is_open:
                return True
            order = DrillStepToFile(drill_id=self._drill.drill_id, step=DrillStep.RESOLVE)
            begun = await self._file(order)
            if begun.ticket is not None:
                await run_call(begun.ticket)
            return not (await self._look()).is_open
        except ActivityError:
            return False

    async def _begin(self, start: DrillStart) -> BegunDrill:
        return await workflow.execute_local_activity_method(
            DrillActivities.begin_drill,
            DrillToBegin(
                drill_id=self._drill.drill_id,
                connection_id=start.connection_id,
                service_id=start.service_id,
                key_id=start.key_id,
                proof=start.proof,
                watch_seconds=start.watch_seconds,
            ),
            **activity_options.STORE,
            summary="begin the drill",
        )

    async def _file(self, order: DrillStepToFile) -> BegunDrill:
        return await workflow.execute_local_activity_method(
            DrillActivities.file_drill_step, order, **activity_options.STORE, summary=f"file {order.step}"
        )

    async def _mark_opened(self) -> bool:
        return await workflow.execute_local_activity_method(
            DrillActivities.mark_drill_opened, self._drill, **activity_options.STORE
        )

    async def _look(self) -> Sighting:
        return await workflow.execute_activity_method(
            DrillActivities.look_at_drill, self._drill, **self._pagerduty("look at the incident")
        )

    def _pagerduty(self, summary: str) -> activity_options.PagerDutyOptions:
        return {
            "task_queue": names.pagerduty_queue(workflow.info().task_queue),
            "priority": Priority(fairness_key=self._connection_id),
            "summary": summary,
            **activity_options.DRILL,
        }
