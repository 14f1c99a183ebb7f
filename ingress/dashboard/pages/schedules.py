"""Schedules: who is on call now and next, all of them on a grid, and a schedule by itself."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field, model_validator

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.coverage.lanes import percent_text
from calmo_pagerduty.coverage.schedule_shifts import ScheduleShifts, schedule_shifts
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.time_axis import moment_text
from calmo_pagerduty.snapshots.on_call import Shift
from ingress.api.models import Word
from ingress.coverage.endpoints import GRID_DAYS, grid_selection, require_object, schedules_figure
from ingress.coverage.models import CoverageModel, CoverageQuery, GridQuery
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.schedule_parts import (
    candidate_table,
    cliff_table,
    cover_asked,
    cover_values,
    gap_table,
    members,
    part_table,
)
from ingress.dashboard.tables import Column, Table

NOBODY = "nobody"
UNKNOWN = "unknown"


class SchedulesQuery(GridQuery):
    """The filters of the grid. An empty field of the form is as good as none."""

    connection: Word | None = Field(None, description="The account. Default: the first.")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_fields(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: value for name, value in values.items() if value != ""}


class OnDuty(NamedTuple):
    """Who is on call in a shift, with its times in the reader's zone and in each person's."""

    names: str
    start: str
    end: str
    #: The end in the zone of each person who lives in another one.
    elsewhere: str


class ScheduleRow(NamedTuple):
    """A schedule in the table of now and next."""

    id: str
    name: str
    query: str
    now: OnDuty | None
    next: OnDuty | None
    is_known: bool
    covered: str
    gaps: str


class ShiftRow(NamedTuple):
    """A shift of the grid, in words."""

    schedule: str
    who: str
    start: str
    end: str
    length: str
    is_gap: bool


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/schedules, with the filters of GET /api/connections/{id}/coverage/schedules.svg."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    query = ask.query(SchedulesQuery)
    if query.time_zone is None:
        query = query.model_copy(update={"time_zone": account.zone().key})
    days = query.days or GRID_DAYS[query.period]
    coverage = await ask.ingress.coverage.coverage(account.request, ask.caller, CoverageQuery(days=days))
    figure = await asyncio.to_thread(schedules_figure, account.snapshot, query)
    shifts = _selected_shifts(account, query, days)
    return account.content(
        {"query_": query, "figures": [figure], "zone": query.time_zone, "gap_rows": _gap_count(coverage)},
        {
            "schedules": schedule_table(_rows(account, shifts, coverage, query.time_zone or "")),
            "shifts": shift_table(_shift_rows(account, shifts, query.time_zone or "")),
        },
    )


async def show_schedule(ask: Ask) -> Content:
    """GET /dashboard/schedules/{schedule}: a month, gaps, parts, cover. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    schedule = require_object(account.index.schedules, "schedule", ask.request.path_params["schedule"])
    zone = account.zone()
    query = GridQuery(period="month", schedule=schedule.id, time_zone=zone.key)
    days = GRID_DAYS["month"]
    coverage = await ask.ingress.coverage.coverage(
        account.request, ask.caller, CoverageQuery(days=days, schedule=schedule.id)
    )
    figure = await asyncio.to_thread(schedules_figure, account.snapshot, query)
    shifts = _selected_shifts(account, query, days)
    covered = coverage.schedules[0]
    wanted = await cover_asked(account, schedule)
    return account.content(
        {
            "schedule": schedule,
            "row": _rows(account, shifts, coverage, zone.key)[0],
            "covered": covered,
            "figures": [figure],
            "zone": zone.key,
            "people": members(account, schedule),
            **cover_values(account, wanted),
        },
        {
            "gaps": gap_table(covered["gaps"], zone),
            "cliffs": cliff_table(coverage.cliffs, zone),
            "parts": part_table(account, schedule),
            "candidates": candidate_table(wanted),
            "shifts": shift_table(_shift_rows(account, shifts, zone.key)),
        },
        schedule.name,
    )


def _selected_shifts(account: Account, query: GridQuery, days: int) -> list[ScheduleShifts]:
    selected = grid_selection(account.index, query).schedule_ids or frozenset()
    timelines = Timelines(account.index, Span(account.now, account.now + days * DAY))
    return [row for row in schedule_shifts(timelines, account.now) if row.schedule_id in selected]


def _until(row: ScheduleRow) -> str:
    """Return until when it is as it is now: the shift's end, or the beginning of the next one."""
    if row.now is not None:
        return row.now.end
    return row.next.start if row.is_known and row.next is not None else ""


def _gap_count(coverage: CoverageModel) -> int:
    return sum(row["gap_count"] or 0 for row in coverage.schedules)


def _rows(
    account: Account, shifts: list[ScheduleShifts], coverage: CoverageModel, zone: str
) -> list[ScheduleRow]:
    covered = {row["id"]: row for row in coverage.schedules}
    rows = [
        ScheduleRow(
            row.schedule_id,
            account.index.schedules[row.schedule_id].name,
            account.query_text,
            on_duty(account, row.now, zone),
            on_duty(account, row.next, zone),
            row.is_known,
            *_covered(covered[row.schedule_id]),
        )
        for row in shifts
    ]
    return sorted(rows, key=lambda row: row.name.casefold())


def _covered(row: JsonObject) -> tuple[str, str]:
    if row["percentage"] is None:
        return UNKNOWN, ""
    return percent_text(row["percentage"]), str(row["gap_count"])


def on_duty(account: Account, shift: Shift | None, zone_name: str) -> OnDuty | None:
    """Return a shift in words; None without one or if nobody has it."""
    zone = time_zone(zone_name)
    if shift is None or zone is None or not shift.user_ids:
        return None
    elsewhere = []
    for user_id in shift.user_ids:
        user = account.index.users.get(user_id)
        own = time_zone(user.time_zone) if user else None
        if own is not None and own.key != zone.key:
            elsewhere.append(f"{moment_text(shift.end, own)} {own.key}")
    names = ", ".join(account.name(user_id) for user_id in shift.user_ids)
    return OnDuty(
        names,
        moment_text(shift.start, zone),
        moment_text(shift.end, zone),
        "; ".join(dict.fromkeys(elsewhere)),
    )


def _shift_rows(account: Account, shifts: list[ScheduleShifts], zone_name: str) -> list[ShiftRow]:
    zone = time_zone(zone_name)
    if zone is None:
        return []
    return [
        ShiftRow(
            account.index.schedules[row.schedule_id].name,
            ", ".join(account.name(user_id) for user_id in shift.user_ids) or NOBODY,
            moment_text(shift.start, zone),
            moment_text(shift.end, zone),
            format_duration(shift.end - shift.start),
            not shift.user_ids,
        )
        for row in shifts
        for shift in row.shifts
    ]


def schedule_table(rows: list[ScheduleRow]) -> Table[ScheduleRow]:
    """Return the table of who is on call now and next."""
    return Table(
        "On call now and next",
        (
            Column("Schedule", lambda row: row.name, cell="schedule"),
            Column("Now", lambda row: _who(row, row.now), cell="schedule_now"),
            Column("Until", _until, cell="schedule_until"),
            Column("Next", _next, cell="schedule_next"),
            Column("Covered", lambda row: row.covered, is_figure=True),
            Column("Gaps", lambda row: row.gaps, is_figure=True),
        ),
        rows,
        empty="No schedule matches. Choose another team or policy.",
    )


def _who(row: ScheduleRow, duty: OnDuty | None) -> str:
    if not row.is_known:
        return UNKNOWN
    return duty.names if duty else NOBODY


def _next(row: ScheduleRow) -> str:
    return f"{row.next.names} from {row.next.start}" if row.next else ""


def shift_table(rows: list[ShiftRow]) -> Table[ShiftRow]:
    """Return the grid as a table."""
    return Table(
        "Shifts",
        (
            Column("Schedule", lambda row: row.schedule),
            Column("Who", lambda row: row.who, cell="shift_who"),
            Column("From", lambda row: row.start),
            Column("Until", lambda row: row.end),
            Column("Length", lambda row: row.length, is_figure=True),
        ),
        rows,
        empty="Nobody has a shift in this time, as far as PagerDuty rendered the schedules.",
    )


PAGES = (
    Page(
        "/schedules",
        "Schedules",
        FINDINGS_READ,
        show_list,
        "schedules",
        menu="Schedules",
        key="d",
        tab="Now and next",
    ),
    Page("/schedules/{schedule}", "Schedule", FINDINGS_READ, show_schedule, "schedule"),
)
