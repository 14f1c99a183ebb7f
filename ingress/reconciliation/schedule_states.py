"""Schedules of connections as Temporal tells them: when each ran, when it runs next, whether it is paused."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from ingress.reconciliation.schedules import DIGEST, HEALTH, ONCALL
from workflows import names

#: Temporal is asked for no longer than this.
ANSWER_SECONDS = 2.0

WORDS_OF_SCHEDULED: Mapping[str, str] = {
    names.RECONCILE_WORKFLOW: "Compare with PagerDuty",
    names.DOCTOR_WORKFLOW: "Examine the webhooks",
    names.ONCALL_ANALYSIS_WORKFLOW: "Analyse the on-call",
    names.ONCALL_DIGEST_WORKFLOW: "Write the weekly digest",
}


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule of a connection. `note` says why it is paused, if somebody said so. Times are UTC."""

    workflow: str
    connection_id: str
    is_paused: bool
    note: str
    last_run: datetime | None
    next_run: datetime | None


async def list_schedule_states(
    temporal: TemporalHandle, connection_ids: Collection[str]
) -> Sequence[ScheduleState] | None:
    """Return these connections' schedules; None if Temporal is away or does not answer in time."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _list(temporal.client, connection_ids)
    except (RPCError, TemporalUnavailable, TimeoutError):
        return None


async def _list(client: Client, connection_ids: Collection[str]) -> list[ScheduleState]:
    scheduled = (*HEALTH, *ONCALL, *DIGEST)
    meant = {
        row.id_of(connection_id): (row.workflow, connection_id)
        for row in scheduled
        for connection_id in connection_ids
    }
    found = {}
    async for listed in await client.list_schedules():
        if listed.id in meant and listed.schedule is not None and listed.info is not None:
            state, info = listed.schedule.state, listed.info
            found[listed.id] = ScheduleState(
                *meant[listed.id],
                is_paused=state.paused,
                note=(state.note or "") if state.paused else "",
                last_run=info.recent_actions[-1].started_at if info.recent_actions else None,
                next_run=info.next_action_times[0] if info.next_action_times else None,
            )
    return [found[schedule_id] for schedule_id in meant if schedule_id in found]
