"""REST endpoints for coverage, readiness, and who is on call now and next. They read stored snapshots.

Errors: `ingress.api.errors`.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.absences.ics import parse_away
from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.coverage.analysis import account_zone
from calmo_pagerduty.coverage.documents import CoverageDocument
from calmo_pagerduty.coverage.lanes import policy_lanes, schedule_lanes
from calmo_pagerduty.coverage.model import CoverageReport
from calmo_pagerduty.coverage.readiness_documents import now_next_document, readiness_document
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.coverage.selection import Selection, restricted
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.codec import lanes_to_json
from calmo_pagerduty.plots.lanes import lanes_figure
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.snapshots.service import SnapshotReader
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.errors import ResourceNotFound
from ingress.api.pictures import svg_response
from ingress.coverage.models import (
    ConflictsBody,
    ConflictsModel,
    CoverageModel,
    CoverageQuery,
    GridQuery,
    NowNextModel,
    NowNextQuery,
    PictureQuery,
    ReadinessQuery,
    ReadinessReportModel,
    SnapshotQuery,
)

T = TypeVar("T")

PATH = "/api/connections/{id}"
NOT_FOUND = ((404, "there is no such connection or object, or no snapshot yet; the message says which"),)
GRID_DAYS = {"week": 7, "month": 31}
SVG = "image/svg+xml"


class CoverageEndpoints:
    """Endpoints that read snapshots. Reports are computed in a thread."""

    def __init__(self, snapshots: SnapshotReader) -> None:
        self._snapshots = snapshots

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET", f"{PATH}/coverage",
                "Show where nobody is on call, why, and how many incidents that would drop",
                Json(CoverageModel), permission=FINDINGS_READ, takes=CoverageQuery, handler=self.coverage,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/coverage/policies.svg",
                "Draw a lane per escalation policy: levels as bars, red only where all are empty",
                Media(SVG), permission=FINDINGS_READ, takes=PictureQuery, handler=self.policies_picture,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/coverage/schedules.svg",
                "Draw all schedules on a week's or a month's grid, gaps hatched with text",
                Media(SVG), permission=FINDINGS_READ, takes=GridQuery, handler=self.schedules_picture,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST", f"{PATH}/coverage/conflicts",
                "Compare duties with imported calendars: on call while away, two duties, little rest",
                Json(ConflictsModel), permission=FINDINGS_READ, takes=ConflictsBody,
                handler=self.conflicts,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/readiness",
                "Show who can be paged on what, at high and at low urgency",
                Json(ReadinessReportModel), permission=FINDINGS_READ, takes=ReadinessQuery,
                handler=self.readiness, statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET", f"{PATH}/now-next",
                "Show who is on call for each service now and next, and what may stop a page",
                Json(NowNextModel), permission=FINDINGS_READ, takes=NowNextQuery, handler=self.now_next,
                statuses=NOT_FOUND,
            ),
        ]  # fmt: skip

    async def coverage(self, request: Request, principal: Principal, query: CoverageQuery) -> CoverageModel:
        """GET /api/connections/{id}/coverage"""
        snapshot = await self._snapshot(request, principal, query)
        return await asyncio.to_thread(coverage_answer, snapshot, query, principal.persons)

    async def policies_picture(self, request: Request, principal: Principal, query: PictureQuery) -> Response:
        """GET /api/connections/{id}/coverage/policies.svg"""
        snapshot = await self._snapshot(request, principal, query)
        return svg_response(await asyncio.to_thread(policies_figure, snapshot, query))

    async def schedules_picture(self, request: Request, principal: Principal, query: GridQuery) -> Response:
        """GET /api/connections/{id}/coverage/schedules.svg"""
        snapshot = await self._snapshot(request, principal, query)
        return svg_response(await asyncio.to_thread(schedules_figure, snapshot, query))

    async def conflicts(self, request: Request, principal: Principal, body: ConflictsBody) -> ConflictsModel:
        """POST /api/connections/{id}/coverage/conflicts"""
        snapshot = await self._snapshot(request, principal, body)
        return await asyncio.to_thread(conflicts_answer, snapshot, body, principal.persons)

    async def readiness(
        self, request: Request, principal: Principal, query: ReadinessQuery
    ) -> ReadinessReportModel:
        """GET /api/connections/{id}/readiness"""
        snapshot = await self._snapshot(request, principal, query)
        document = await asyncio.to_thread(
            readiness_document, snapshot, _seconds(query.now), principal.persons, query.days
        )
        return ReadinessReportModel.model_validate(document)

    async def now_next(self, request: Request, principal: Principal, query: NowNextQuery) -> NowNextModel:
        """GET /api/connections/{id}/now-next"""
        snapshot = await self._snapshot(request, principal, query)
        if query.service is not None and query.service not in OnCallIndex(snapshot).services:
            raise ResourceNotFound(f"the snapshot has no service {query.service!r}")
        ids = None if query.service is None else {query.service}
        document = await asyncio.to_thread(
            now_next_document, snapshot, _seconds(query.now), _zone(snapshot, query.time_zone), ids
        )
        return NowNextModel.model_validate(document)

    async def _snapshot(
        self, request: Request, principal: Principal, query: SnapshotQuery
    ) -> AccountSnapshot:
        as_of = None if query.as_of is None else to_utc(query.as_of)
        return await self._snapshots.get(principal.visibility, request.path_params["id"], as_of)


def coverage_answer(
    snapshot: AccountSnapshot, query: CoverageQuery, persons: PersonVisibility
) -> CoverageModel:
    """Compute the report and return it as the endpoint's answer. Raises ResourceNotFound."""
    index = OnCallIndex(snapshot)
    selection = _selection(index, query)
    options = ReportOptions(days=query.days, min_rest_hours=query.min_rest_hours)
    report = coverage_report(snapshot, _seconds(query.now), options)
    document = CoverageDocument(index, report, persons).document(selection)
    if query.lanes:
        shown, timelines = restricted(report, selection), Timelines(index, report.window)
        document["lanes"] = {
            "time_zone": account_zone(snapshot).key,
            "window": list(report.window),
            "policies": lanes_to_json(policy_lanes(timelines, shown)),
            "schedules": lanes_to_json(schedule_lanes(timelines, shown)),
        }
    return CoverageModel.model_validate(document)


def conflicts_answer(
    snapshot: AccountSnapshot, body: ConflictsBody, persons: PersonVisibility
) -> ConflictsModel:
    """Return all conflicts with the calendars. Raises CalendarRefused."""
    now = _seconds(body.now)
    window, index = Span(now, now + body.days * DAY), OnCallIndex(snapshot)
    away: dict[str, list[Span]] = {}
    skipped: list[dict[str, object]] = []
    for calendar in body.calendars:
        user = index.users.get(calendar.user)
        zone = time_zone(user.time_zone if user else None) or account_zone(snapshot)
        parsed = parse_away(calendar.text.encode(), window, zone, all_events=body.all_events)
        away.setdefault(calendar.user, []).extend(parsed.spans)
        skipped += [{"user": calendar.user, "reason": why, "events": count} for why, count in parsed.skipped]
    options = ReportOptions(body.days, body.min_rest_hours, away)
    document = CoverageDocument(index, coverage_report(snapshot, now, options), persons).document(Selection())
    return ConflictsModel.model_validate(
        {name: document[name] for name in ConflictsModel.model_fields if name != "skipped_events"}
        | {"skipped_events": skipped}
    )


def policies_figure(snapshot: AccountSnapshot, query: PictureQuery) -> Figure:
    """Draw the policies' lanes. Raises ResourceNotFound."""
    index, now = OnCallIndex(snapshot), _seconds(query.now)
    zone = _zone(snapshot, query.time_zone)
    report = restricted(
        coverage_report(snapshot, now, ReportOptions(days=query.days)), _selection(index, query)
    )
    lanes = policy_lanes(Timelines(index, report.window), report)
    title = f"Coverage of escalation policies, {query.days} days"
    return lanes_figure("policies", title, report.window, zone, lanes, now)


def schedules_figure(snapshot: AccountSnapshot, query: GridQuery) -> Figure:
    """Draw all schedules on one grid, by team. Raises ResourceNotFound."""
    index, now = OnCallIndex(snapshot), _seconds(query.now)
    zone = _zone(snapshot, query.time_zone)
    days = query.days or GRID_DAYS[query.period]
    report: CoverageReport = coverage_report(snapshot, now, ReportOptions(days=days))
    selection = grid_selection(index, query)
    lanes = schedule_lanes(Timelines(index, report.window), restricted(report, selection))
    length = f"{days} days" if query.days else f"a {query.period}"
    whose = "All schedules" if query.schedule is None else index.schedules[query.schedule].name
    return lanes_figure("schedules", f"{whose}, {length}", report.window, zone, lanes, now)


def grid_selection(index: OnCallIndex, query: GridQuery) -> Selection:
    """Return the schedules of the policy and of the team that are asked for. Raises ResourceNotFound."""
    ids = frozenset(index.schedules)
    if query.schedule is not None:
        ids &= {require_object(index.schedules, "schedule", query.schedule).id}
    if query.policy is not None:
        policy = require_object(index.policies, "policy", query.policy)
        ids &= Selection.of(index, None, policy.id, None).schedule_ids or frozenset()
    if query.team is not None:
        ids &= {id for id, schedule in index.schedules.items() if query.team in schedule.team_ids}
    return Selection(schedule_ids=ids)


def _selection(index: OnCallIndex, query: CoverageQuery | PictureQuery) -> Selection:
    for id, objects, kind in (
        (query.schedule, index.schedules, "schedule"),
        (query.policy, index.policies, "policy"),
        (query.service, index.services, "service"),
    ):
        if id is not None:
            require_object(objects, kind, id)
    return Selection.of(index, query.schedule, query.policy, query.service)


def require_object(objects: Mapping[str, T], kind: str, id: str) -> T:
    """Return the snapshot's object of this id. Raises ResourceNotFound."""
    if id not in objects:
        raise ResourceNotFound(f"the snapshot has no {kind} {id!r}: if it is new, take a new snapshot")
    return objects[id]


def _zone(snapshot: AccountSnapshot, name: str | None) -> ZoneInfo:
    """Return the zone of a checked name, else the account's."""
    return time_zone(name) or account_zone(snapshot)


def _seconds(moment: datetime | None) -> int:
    return int((datetime.now(UTC) if moment is None else to_utc(moment)).timestamp())
