"""The morning after a rough night: ask the least loaded eligible person to cover, or let it expire.

It never edits a schedule: who accepts creates a tool call, which the connection's rules may let wait for an
approval.
"""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.workload import CoverActivities
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.workload.cover_requests import CoverState
    from calmo_pagerduty.workload.cover_service import (
        CoverAdvanced,
        CoverProposed,
        CoverToAdvance,
        NightToCover,
    )
    from workflows import activity_options, names

#: A person who was asked has at least so long before the next one is asked too.
MIN_PAUSE = timedelta(minutes=10)


class RoughNightStart(FrozenModel):
    """A rough night, by its hash, and when to ask (UTC): 08:00 in the person's zone."""

    connection_id: str
    night: str
    ask_at: datetime


class RoughNightEnd(FrozenModel):
    """How it ended. `state` is None if nobody needed cover, or nobody could give it."""

    state: CoverState | None = None
    asked: int = 0


@workflow.defn(name=names.ROUGH_NIGHT_WORKFLOW)
class RoughNightWorkflow:
    """Message protocol: the signal `cover_answered` says that the request's state in our database changed.

    There is one workflow per person and night; its id and its history name neither.
    """

    def __init__(self) -> None:
        self._is_answered = False

    @workflow.run
    async def run(self, start: RoughNightStart) -> RoughNightEnd:
        if start.ask_at > workflow.now():
            workflow.set_current_details(f"Asks for cover at {start.ask_at:%Y-%m-%d %H:%M} UTC.")
            await workflow.sleep(start.ask_at - workflow.now(), summary="until the morning")
        proposed = await self._propose(start)
        if proposed.request_id is None or proposed.expires_at is None:
            workflow.set_current_details("Nobody needs cover, or nobody can give it.")
            return RoughNightEnd()
        pause = max(MIN_PAUSE, (proposed.expires_at - workflow.now()) / (proposed.candidates + 1))
        advanced = CoverAdvanced(state=CoverState.OPEN, asked=1)
        while advanced.state is CoverState.OPEN:
            workflow.set_current_details(
                f"{advanced.asked} of {proposed.candidates} people asked to cover; open until "
                f"{proposed.expires_at:%Y-%m-%d %H:%M} UTC: `calmo-pagerduty workload cover-requests`"
            )
            is_silent = await self._wait(min(pause, proposed.expires_at - workflow.now()))
            advanced = await self._advance(proposed.request_id, is_silent)
        workflow.set_current_details(f"The request for cover is {advanced.state}.")
        return RoughNightEnd(state=advanced.state, asked=advanced.asked)

    @workflow.signal(name=names.SIGNAL_COVER_ANSWERED, description="The request's state has changed")
    async def cover_answered(self) -> None:
        self._is_answered = True

    async def _wait(self, pause: timedelta) -> bool:
        """Wait for an answer; True if none came until it is time to ask the next person."""
        try:
            await workflow.wait_condition(
                lambda: self._is_answered,
                timeout=max(pause, timedelta(seconds=1)),
                timeout_summary="until the next is asked",
            )
        except TimeoutError:
            return True
        self._is_answered = False
        return False

    async def _propose(self, start: RoughNightStart) -> CoverProposed:
        return await workflow.execute_activity_method(
            CoverActivities.propose_cover,
            NightToCover(connection_id=start.connection_id, night=start.night),
            summary="ask for cover",
            **activity_options.COVER,
        )

    async def _advance(self, request_id: str, is_silent: bool) -> CoverAdvanced:
        return await workflow.execute_activity_method(
            CoverActivities.advance_cover,
            CoverToAdvance(request_id=request_id, is_silent=is_silent),
            summary="ask the next, or expire" if is_silent else "look at the answer",
            **activity_options.COVER,
        )
