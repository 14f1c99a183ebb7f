"""Reports: what can be downloaded of an account, and the workload with its fairness on a page."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, get_args
from zoneinfo import ZoneInfo

from starlette.responses import Response

from calmo_pagerduty.access.permissions import CONNECTIONS_ADMIN, CONNECTIONS_WRITE, FINDINGS_READ
from calmo_pagerduty.performance.report import Grouping
from calmo_pagerduty.reports.model import KINDS, ReportKind
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.workload.reports import workload_figures, workload_tables
from calmo_pagerduty.workload.tables import Cell, ReportTable, cell_text
from ingress.api.endpoints import NoInput, query_values
from ingress.api.errors import ResourceNotFound
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.page import Action, Ask, Content, Done, Page, PageAtOnce
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.escalation.models import LintQuery
from ingress.findings.digest_endpoints import DigestQuery, Weekday
from ingress.findings.report_endpoints import ReportQuery
from ingress.reports.kept_models import (
    ReportAddressBody,
    ReportDeliveryModel,
    ReportScheduleBody,
    ReportScheduleModel,
)
from ingress.reports.models import ReportDocumentQuery
from ingress.workload.models import PeriodDocumentQuery, WorkloadDocumentQuery, WorkloadQuery

#: File endings by the names that the endpoints have for formats.
ENDINGS = {"markdown": "md", "md": "md", "html": "html", "csv": "csv"}
Make = Callable[[Account, str, Mapping[str, Any]], Awaitable[Any]]


class Report(NamedTuple):
    """A report that can be downloaded. `formats` are the endpoint's own names."""

    name: str
    title: str
    about: str
    formats: tuple[str, ...]
    #: The parameter for a length in days, with its default and its most; None if there is none.
    days: tuple[str, int, int] | None
    make: Make


async def _account(account: Account, fmt: str, _given: Mapping[str, Any]) -> Any:
    query = ReportQuery.model_validate({"format": fmt})
    return await account.ask.ingress.account_reports.show(account.request, account.ask.caller, query)


async def _digest(account: Account, fmt: str, _given: Mapping[str, Any]) -> Any:
    query = DigestQuery.model_validate({"format": fmt, "preview": True})
    return await account.ask.ingress.digests.show(account.request, account.ask.caller, query)


async def _workload(account: Account, fmt: str, given: Mapping[str, Any]) -> Any:
    query = WorkloadDocumentQuery.model_validate({**given, "format": fmt})
    return await account.ask.ingress.workload.workload_document(account.request, account.ask.caller, query)


async def _pay(account: Account, fmt: str, given: Mapping[str, Any]) -> Any:
    query = PeriodDocumentQuery.model_validate({**given, "format": fmt})
    return await account.ask.ingress.workload.pay_document(account.request, account.ask.caller, query)


async def _working_time(account: Account, fmt: str, given: Mapping[str, Any]) -> Any:
    query = PeriodDocumentQuery.model_validate({**given, "format": fmt})
    return await account.ask.ingress.workload.working_time_document(
        account.request, account.ask.caller, query
    )


async def _policy_review(account: Account, fmt: str, given: Mapping[str, Any]) -> Any:
    query = LintQuery.model_validate({**given, "format": fmt})
    return await account.ask.ingress.escalation.lint(account.request, account.ask.caller, query)


def _of_kind(kind: ReportKind) -> Make:
    async def make(account: Account, fmt: str, given: Mapping[str, Any]) -> Any:
        query = ReportDocumentQuery.model_validate({**given, "kind": kind, "format": fmt})
        return await account.ask.ingress.reports.make(account.request, account.ask.caller, query)

    return make


_PAGES, _TABLES = ("html", "markdown"), ("html", "md", "csv")
REPORTS = (
    *(
        Report(str(kind), row.title, row.about, _TABLES, ("days", row.days, 366), _of_kind(kind))
        for kind, row in KINDS.items()
    ),
    Report("account", "Account", "What all on-call analyses say, with plots.", _PAGES, None, _account),
    Report("digest", "Weekly digest of findings", "The digest, as made now.", _PAGES, None, _digest),
    Report(
        "workload", "Workload", "Hours, nights and interruptions, past and planned; fairness by schedule.",
        _TABLES, ("past_days", 28, 35), _workload,
    ),
    Report(
        "pay", "Pay", "Indicative pay by the published rules, to the hour.",
        _TABLES, ("days", 28, 200), _pay,
    ),
    Report(
        "working-time", "Working time", "Breaches of the published template, and averages.",
        _TABLES, ("days", 35, 200), _working_time,
    ),
    Report(
        "policy-review", "Policy review", "What is wrong with each escalation policy, and what to do.",
        _TABLES, ("days", 30, 90), _policy_review,
    ),
)  # fmt: skip


async def _kept(account: Account, fmt: str, given: Mapping[str, Any]) -> Any:
    query = ReportDocumentQuery.model_validate({"kept": given.get("kept", ""), "format": fmt})
    return await account.ask.ingress.reports.make(account.request, account.ask.caller, query)


#: A report that was made on a schedule, as it was made.
KEPT = Report("kept", "Kept report", "As it was made.", _TABLES, None, _kept)
KEPT_COLUMNS: tuple[Column[dict[str, Any]], ...] = (
    Column("Report", lambda row: str(row["title"]), cell="kept_report"),
    Column("From", lambda row: f"{row['since']:%Y-%m-%d}"),
    Column("Until", lambda row: f"{row['until']:%Y-%m-%d}"),
    Column("Made", lambda row: f"{row['made_at']:%Y-%m-%d %H:%M} UTC"),
    Column("By", lambda row: str(row["author"])),
)
DELIVERY_COLUMNS: tuple[Column[ReportDeliveryModel], ...] = (
    Column("At", lambda row: f"{row.at:%Y-%m-%d %H:%M:%S} UTC"),
    Column("Report", lambda row: row.report),
    Column("Attempt", lambda row: str(row.attempt), is_figure=True),
    Column("Outcome", lambda row: row.outcome),
    Column("Status", lambda row: "no answer" if row.status is None else str(row.status)),
    Column("Reason", lambda row: row.reason),
)


def _next_time(row: ReportScheduleModel) -> str:
    if row.is_paused:
        return "paused"
    return f"{row.next_times[0]:%Y-%m-%d %H:%M} UTC" if row.next_times else "not known"


SCHEDULE_COLUMNS: tuple[Column[ReportScheduleModel], ...] = (
    Column("Report", lambda row: KINDS[ReportKind(row.kind)].title),
    Column("About", lambda row: f"the {row.days or KINDS[ReportKind(row.kind)].days} days before"),
    Column("Next", _next_time),
)


#: As a week begins here.
WEEKDAYS = (*get_args(Weekday)[1:], get_args(Weekday)[0])


async def _schedules(account: Account) -> tuple[Table[ReportScheduleModel], bool]:
    """Return the table of schedules, and whether Temporal could be asked."""
    endpoint, empty = account.ask.ingress.kept_reports, "No report is made on a schedule."
    try:
        rows = (await endpoint.show_schedules(account.request, account.ask.caller, NoInput())).schedules
    except TemporalUnavailable:
        return Table("Schedules", SCHEDULE_COLUMNS, (), empty="Temporal can't be asked now."), False
    return Table("Schedules", SCHEDULE_COLUMNS, rows, empty=empty), True


async def schedule(ask: Ask) -> Done:
    """POST /dashboard/reports/schedule. Raises ValidationError, TemporalUnavailable."""
    account = await find_account(ask, ask.text("connection"))
    body = ReportScheduleBody.model_validate(
        {
            "kind": ask.text("kind") or "",
            "every": ask.text("every") or "",
            "days": ask.text("days"),
            "weekday": ask.text("weekday") or "monday",
            "hour": ask.text("hour") or 7,
            "time_zone": account.zone().key,
        }
    )
    await ask.ingress.kept_reports.reschedule(account.request, ask.caller, body)
    title = KINDS[body.kind].title
    words = (
        f"{title} is made on no schedule."
        if body.every == "never"
        else f"{title} is made every {body.every}."
    )
    return Done(f"{ROOT}/reports{account.query_text}#schedules", words)


async def set_address(ask: Ask) -> PageAtOnce:
    """POST /dashboard/reports/address: the secret is shown only in this answer. Raises AddressRefused."""
    account = await find_account(ask, ask.text("connection"))
    body = ReportAddressBody.model_validate({"url": ask.text("url") or ""})
    made = await ask.ingress.kept_reports.set_address(account.request, ask.caller, body)
    back = f"{ROOT}/reports?connection={account.connection}#address"
    return PageAtOnce(ADDRESS, Content({"made": made, "back": back}))


async def remove_address(ask: Ask) -> Done:
    """POST /dashboard/reports/address/remove"""
    account = await find_account(ask, ask.text("connection"))
    await ask.ingress.kept_reports.remove_address(account.request, ask.caller, NoInput())
    words = "Reports are kept, and sent nowhere."
    return Done(f"{ROOT}/reports?connection={account.connection}#address", words)


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/reports"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    kept = await ask.ingress.kept_reports.list_reports(account.request, ask.caller, NoInput())
    sent = await ask.ingress.kept_reports.list_deliveries(account.request, ask.caller, NoInput())
    rows = [
        {**row.model_dump(), "title": KINDS[ReportKind(row.kind)].title, "query": account.connection}
        for row in kept.reports
    ]
    schedules, may_schedule = await _schedules(account)
    sent_to = None
    if ask.may(CONNECTIONS_ADMIN):
        sent_to = await ask.ingress.kept_reports.show_address(account.request, ask.caller, NoInput())
    return account.content(
        {
            "reports": REPORTS,
            "endings": ENDINGS,
            "kinds": KINDS,
            "groupings": list(Grouping),
            "may_schedule": may_schedule,
            "weekdays": WEEKDAYS,
            "sent_to": sent_to,
        },
        {
            "schedules": schedules,
            "kept": Table("Kept reports", KEPT_COLUMNS, rows, empty="No report was made on a schedule yet."),
            "deliveries": Table(
                "Deliveries", DELIVERY_COLUMNS, sent.deliveries, empty="No report was sent anywhere yet."
            ),
        },
    )


async def download(ask: Ask) -> Content:
    """GET /dashboard/reports/{name}/file, with `format` and the report's parameters.

    It is always a file: a report as HTML has styles inside, which no page of ours may have.
    Raises ResourceNotFound.
    """
    account = await find_account(ask)
    name = ask.request.path_params["name"]
    report = next((report for report in (*REPORTS, KEPT) if report.name == name), None)
    if report is None:
        raise ResourceNotFound(f"there is no report {name[:60]!r}")
    given = {key: value for key, value in query_values(ask.request, LintQuery).items() if value}
    fmt = given.pop("format", report.formats[0])
    given.pop("connection", None)
    given = _with_range(given, account.zone())
    if fmt not in report.formats:
        raise ResourceNotFound(f"format: this report comes as {', '.join(report.formats)}")
    answer: Response = await report.make(account, fmt, given)
    file = f"{report.name}-{ask.now:%Y-%m-%d}.{ENDINGS[fmt]}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return Content(file=answer)


def _with_range(given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Return the parameters with the form's first and last day as moments, in local time of the zone.

    A range goes before a number of days. What is no date stays, so that the endpoint says so.
    """
    asked = {name: value for name, value in given.items() if name not in {"from", "to"}}
    for field, name, later in (("from", "since", 0), ("to", "until", 1)):
        day = str(given.get(field) or "")
        if not day:
            continue
        asked.pop("days", None)
        try:
            # The last day is part of the range.
            local = datetime.combine(date.fromisoformat(day) + timedelta(days=later), time(), zone)
            asked[name] = local.isoformat()
        except (ValueError, OverflowError):
            asked[name] = day
    return asked


async def show_workload(ask: Ask) -> Content:
    """GET /dashboard/reports/workload, with the parameters of GET /api/connections/{id}/workload."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    values = {name: value for name, value in query_values(ask.request, WorkloadQuery).items() if value}
    known = {name: value for name, value in values.items() if name in WorkloadQuery.model_fields}
    query = WorkloadQuery.model_validate(known)
    model = await ask.ingress.workload.workload(account.request, ask.caller, query)
    document = model.model_dump()
    report = workload_tables(document)
    tables = {f"t{number}": _table(table) for number, table in enumerate(report.tables)}
    return account.content(
        {
            "query_": query,
            "notes": report.notes,
            "table_notes": {f"t{number}": table.note for number, table in enumerate(report.tables)},
            "definitions": report.definitions,
            "figures": workload_figures(document),
        },
        tables,
    )


def _table(table: ReportTable) -> Table[tuple[Cell, ...]]:
    """Return a table of a report as one of a page."""

    def column(number: int) -> Column[tuple[Cell, ...]]:
        figures = [row[number] for row in table.rows if row[number] is not None]
        is_figure = bool(figures) and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in figures
        )
        heading = table.columns[number].capitalize()
        return Column(heading, lambda row: cell_text(row[number]), is_figure=is_figure)

    columns = tuple(column(number) for number in range(len(table.columns)))
    return Table(table.title, columns, table.rows, empty="There is nothing in this time.")


#: The answer to the form of the address; it has no address of its own.
ADDRESS = Page("/reports", "Where reports are sent", FINDINGS_READ, show_list, "report_address")
ACTIONS = (
    Action("/reports/schedule", CONNECTIONS_WRITE, schedule),
    Action("/reports/address", CONNECTIONS_ADMIN, set_address),
    Action("/reports/address/remove", CONNECTIONS_ADMIN, remove_address),
)
PAGES = (
    Page("/reports", "Reports", FINDINGS_READ, show_list, "reports", menu="Reports", key="r"),
    Page("/reports/workload", "Workload and fairness", FINDINGS_READ, show_workload, "workload"),
    Page("/reports/{name}/file", "Report", FINDINGS_READ, download, "reports"),
)
