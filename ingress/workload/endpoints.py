"""REST endpoints of workload, pay and working-time reports. They read stored snapshots."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.plots.figures import dots_figure, stacks_figure
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.workload.calendars import calendar_of
from calmo_pagerduty.workload.document import workload_document
from calmo_pagerduty.workload.pay_document import default_window, pay_document, working_time_document
from calmo_pagerduty.workload.privacy import may_see
from calmo_pagerduty.workload.report import PAST_DAYS, MaySee, workload_report
from calmo_pagerduty.workload.reports import (
    hours_plot,
    pages_plot,
    pay_tables,
    people_table,
    share_plot,
    working_time_tables,
    workload_figures,
    workload_tables,
)
from calmo_pagerduty.workload.rules import WorkloadSettings
from calmo_pagerduty.workload.settings_service import WorkloadSettingsService
from calmo_pagerduty.workload.tables import Report, ReportTable, csv_text, html, markdown
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media
from ingress.api.errors import ResourceNotFound
from ingress.workload.models import (
    PayModel,
    PeriodDocumentQuery,
    PeriodQuery,
    PlotQuery,
    SnapshotQuery,
    WorkingTimeModel,
    WorkloadDocumentQuery,
    WorkloadModel,
    WorkloadQuery,
)

PATH = "/api/connections/{id}/workload"
NOT_FOUND = ((404, "there is no such connection, object or published rule, or no snapshot yet"),)
#: A browser that opens the document by itself runs no script in it.
DOCUMENT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
EARLIER_STEP = 28 * DAY


class WorkloadEndpoints:
    """Reports run in a thread. Persons are shown to themselves and their managers."""

    def __init__(self, snapshots: SnapshotReader, settings: WorkloadSettingsService) -> None:
        self._snapshots = snapshots
        self._settings = settings

    def endpoints(self) -> list[EndpointRow]:
        reports: list[EndpointRow] = [
            Endpoint(
                "GET",
                PATH,
                "Show hours, nights, interruptions and fairness of on-call work, past and planned",
                Json(WorkloadModel),
                permission=FINDINGS_READ,
                takes=WorkloadQuery,
                handler=self.workload,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/plot.svg",
                "Draw hours by band, shares beside their target, or pages beside the luck band",
                Media("image/svg+xml"),
                permission=FINDINGS_READ,
                takes=PlotQuery,
                handler=self.plot,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/pay",
                "Compute indicative pay by the published rules",
                Json(PayModel),
                permission=FINDINGS_READ,
                takes=PeriodQuery,
                handler=self.pay,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/working-time",
                "Check working time against the published template",
                Json(WorkingTimeModel),
                permission=FINDINGS_READ,
                takes=PeriodQuery,
                handler=self.working_time,
                statuses=NOT_FOUND,
            ),
        ]
        return [*reports, *self._documents()]

    def _documents(self) -> list[EndpointRow]:
        """The same reports as markdown, HTML or CSV."""
        return [
            Endpoint(
                "GET",
                f"{PATH}/document",
                "Write the workload report as markdown, HTML or CSV",
                Media("text/markdown"),
                permission=FINDINGS_READ,
                takes=WorkloadDocumentQuery,
                handler=self.workload_document,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/pay/document",
                "Write the pay report as markdown, HTML or CSV",
                Media("text/markdown"),
                permission=FINDINGS_READ,
                takes=PeriodDocumentQuery,
                handler=self.pay_document,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                f"{PATH}/working-time/document",
                "Write the working-time check as markdown, HTML or CSV",
                Media("text/markdown"),
                permission=FINDINGS_READ,
                takes=PeriodDocumentQuery,
                handler=self.working_time_document,
                statuses=NOT_FOUND,
            ),
        ]

    async def workload(self, request: Request, principal: Principal, query: WorkloadQuery) -> WorkloadModel:
        """GET /api/connections/{id}/workload"""
        return WorkloadModel.model_validate(await self._workload(request, principal, query))

    async def workload_document(
        self, request: Request, principal: Principal, query: WorkloadDocumentQuery
    ) -> Response:
        """GET /api/connections/{id}/workload/document"""
        document = await self._workload(request, principal, query)
        report, table = workload_tables(document), people_table(document, query.period)
        return await asyncio.to_thread(
            _document_answer, query.format, report, table, lambda: workload_figures(document)
        )

    async def plot(self, request: Request, principal: Principal, query: PlotQuery) -> Response:
        """GET /api/connections/{id}/workload/plot.svg"""
        plain = WorkloadQuery(
            as_of=query.as_of, now=query.now, past_days=query.past, forward_days=query.forward
        )
        figure = _figure(await self._workload(request, principal, plain), query)
        return Response(figure.document(), media_type="image/svg+xml", headers=DOCUMENT_HEADERS)

    async def pay(self, request: Request, principal: Principal, query: PeriodQuery) -> PayModel:
        """GET /api/connections/{id}/workload/pay"""
        return PayModel.model_validate(await self._pay(request, principal, query))

    async def pay_document(
        self, request: Request, principal: Principal, query: PeriodDocumentQuery
    ) -> Response:
        """GET /api/connections/{id}/workload/pay/document"""
        report = pay_tables(await self._pay(request, principal, query))
        return _document_answer(query.format, report, report.tables[1], list)

    async def working_time(
        self, request: Request, principal: Principal, query: PeriodQuery
    ) -> WorkingTimeModel:
        """GET /api/connections/{id}/workload/working-time"""
        return WorkingTimeModel.model_validate(await self._working_time(request, principal, query))

    async def working_time_document(
        self, request: Request, principal: Principal, query: PeriodDocumentQuery
    ) -> Response:
        """GET /api/connections/{id}/workload/working-time/document"""
        report = working_time_tables(await self._working_time(request, principal, query))
        return _document_answer(query.format, report, report.tables[0], list)

    async def _pay(self, request: Request, principal: Principal, query: PeriodQuery) -> JsonObject:
        snapshot, settings = await self._load(request, principal, query)
        if settings.pay is None:
            raise ResourceNotFound("no pay rules are published: draft and publish them first")
        now, admits = _seconds(query.now), may_see(snapshot, principal.persons)
        window = _window(query, Span(now - PAST_DAYS * DAY, now))
        return await asyncio.to_thread(pay_document, snapshot, now, window, settings, settings.pay, admits)

    async def _working_time(self, request: Request, principal: Principal, query: PeriodQuery) -> JsonObject:
        snapshot, settings = await self._load(request, principal, query)
        now, admits = _seconds(query.now), may_see(snapshot, principal.persons)
        window = _window(query, default_window(now, settings))
        return await asyncio.to_thread(working_time_document, snapshot, now, window, settings, admits)

    async def _workload(self, request: Request, principal: Principal, query: WorkloadQuery) -> JsonObject:
        snapshot, settings = await self._load(request, principal, query)
        earlier = await self._earlier(principal, snapshot, query.earlier)
        admits = may_see(snapshot, principal.persons)
        return await asyncio.to_thread(_workload_document, snapshot, settings, earlier, query, admits)

    async def _load(
        self, request: Request, principal: Principal, query: SnapshotQuery
    ) -> tuple[AccountSnapshot, WorkloadSettings]:
        connection_id = request.path_params["id"]
        as_of = None if query.as_of is None else to_utc(query.as_of)
        snapshot = await self._snapshots.get(principal.visibility, connection_id, as_of)
        return snapshot, await self._settings.in_force(principal.visibility, connection_id)

    async def _earlier(
        self, principal: Principal, snapshot: AccountSnapshot, count: int
    ) -> tuple[AccountSnapshot, ...]:
        """Return earlier snapshots, about four weeks apart: their pasts join without holes."""
        found: list[AccountSnapshot] = []
        for number in range(1, count + 1):
            as_of = datetime.fromtimestamp(snapshot.taken_at - number * EARLIER_STEP, UTC)
            stored = await self._snapshots.list_snapshots(principal.visibility, snapshot.connection_id)
            if not any(item.head.taken_at <= as_of.timestamp() for item in stored):
                break
            found.append(await self._snapshots.get(principal.visibility, snapshot.connection_id, as_of))
        return tuple(found[::-1])


def _workload_document(
    snapshot: AccountSnapshot,
    settings: WorkloadSettings,
    earlier: Sequence[AccountSnapshot],
    query: WorkloadQuery,
    admits: MaySee,
) -> JsonObject:
    report = workload_report(
        snapshot,
        _seconds(query.now),
        past_days=query.past,
        forward_days=query.forward,
        earlier=earlier,
        calendar_of=calendar_of(settings.holidays),
    )
    return workload_document(report, admits)


def _document_answer(
    format_: str, report: Report, table: ReportTable, figures: Callable[[], list[Figure]]
) -> Response:
    if format_ == "md":
        return Response(markdown(report), media_type="text/markdown", headers=DOCUMENT_HEADERS)
    if format_ == "csv":
        return Response(csv_text(table), media_type="text/csv", headers=DOCUMENT_HEADERS)
    return Response(html(report, figures()), media_type="text/html", headers=DOCUMENT_HEADERS)


def _figure(document: JsonObject, query: PlotQuery) -> Figure:
    if query.kind == "hours":
        return stacks_figure("hours", "Hours on call", "h", hours_plot(document, query.period))
    period = document["forward" if query.kind == "shares" else "past"]
    schedule = next((row for row in period["schedules"] if row["id"] == query.schedule), None)
    if schedule is None:
        raise ResourceNotFound(f"the snapshot has no rendered schedule {query.schedule!r}")
    if query.kind == "shares":
        title = f"{schedule['name']}: planned hours beside the target"
        return dots_figure("shares", title, "h", share_plot(schedule))
    if not schedule[query.kind]:
        raise ResourceNotFound(f"pages of {query.schedule} are unknown, or its group is too small to show")
    title = f"{schedule['name']}: {query.kind.replace('_', ' ')}, and what chance alone brings"
    return dots_figure("pages", title, "pages", pages_plot(schedule[query.kind]))


def _window(query: PeriodQuery, default: Span) -> Span:
    if query.days is not None:
        end = _seconds(query.now if query.until is None else query.until)
        return Span(end - query.days * DAY, end)
    since = default.start if query.since is None else _seconds(query.since)
    until = default.end if query.until is None else _seconds(query.until)
    return Span(since, max(since, until))


def _seconds(moment: datetime | None) -> int:
    return int((datetime.now(UTC) if moment is None else to_utc(moment)).timestamp())
