"""The tool that generates a report from incidents and PagerDuty's figures on them."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.errors import RateLimited, Refused, TokenRejected
from calmo_pagerduty.pagerduty.request_builders import SubPlan, get, list_request
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import Ids, Line, Urgency
from calmo_pagerduty.tools.model import CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans.analytics import ANALYTICS_LAG, read_raw_incidents
from calmo_pagerduty.tools.plans.report import ReportRow, as_csv, build_row, markdown, summarise
from calmo_pagerduty.tools.plans.shapes import without_empty
from calmo_pagerduty.tools.plans.windows import Window

_MAX_INCIDENTS = 5_000
_MAX_LOG_ENTRIES = 10_000


class GenerateReport(Window):
    title: Line = "Incident report"
    service_ids: Ids = ()
    team_ids: Ids = ()
    urgency: Urgency | None = None
    format: Literal["markdown", "json", "csv"] = Field("markdown", description="csv: a row per incident.")


def generate_report(arguments: GenerateReport, call: CallContext) -> Plan:
    since, until = arguments.backward(call.now, timedelta(days=30))
    incidents: ListResult = yield from _incidents(arguments, since, until)
    notes = list(incidents.notes)
    if incidents.next:
        notes.append(f"There are more incidents: the newest {_MAX_INCIDENTS} are counted.")
    figures, about_figures = yield from _figures(arguments, since, until)
    acknowledged: dict[str, datetime] = {}
    if figures is None:
        acknowledged, about_log = yield from _acknowledgements(arguments, since, until)
        about_figures = [*about_figures, *about_log]
    rows = [
        row
        for resource in incidents.items
        if (
            row := build_row(
                resource, (figures or {}).get(resource.get("id")), acknowledged.get(str(resource.get("id")))
            )
        )
        and since <= row.created < until
    ]
    notes += [*about_figures, *_lag_notes(rows, figures, call.now)]
    report = summarise(rows, title=arguments.title, since=since, until=until, made_at=call.now, notes=notes)
    return {"report": report, "format": arguments.format, "text": _rendered(arguments.format, report, rows)}


def _incidents(arguments: GenerateReport, since: datetime, until: datetime) -> SubPlan:
    request = get(
        "/incidents",
        since=since,
        until=until,
        sort_by="created_at:desc",
        **{
            "service_ids[]": arguments.service_ids,
            "team_ids[]": arguments.team_ids,
            "urgencies[]": arguments.urgency,
        },
    )
    listed: ListResult = yield list_request(request, "incidents", _MAX_INCIDENTS, divisible=True)
    return listed


def _figures(arguments: GenerateReport, since: datetime, until: datetime) -> SubPlan:
    """Return incident id → PagerDuty's figures (None if it gives none), and the notes on them."""
    filters = without_empty(
        {
            "created_at_start": format_iso_utc(since),
            "created_at_end": format_iso_utc(until),
            "urgency": arguments.urgency,
            "service_ids": list(arguments.service_ids),
            "team_ids": list(arguments.team_ids),
        }
    )
    try:
        listed: ListResult = yield from read_raw_incidents(filters, _MAX_INCIDENTS)
    except TokenRejected:
        raise
    except (Refused, RateLimited) as error:
        if isinstance(error, RateLimited) and not error.daily:
            raise
        why = f"PagerDuty's analytics aren't available ({error.message}): times are from the log."
        return None, [why]
    return {row.get("id"): row for row in listed.items}, list(listed.notes)


def _acknowledgements(arguments: GenerateReport, since: datetime, until: datetime) -> SubPlan:
    """Return incident id → first acknowledgement (UTC), from the account's log, and the notes on them."""
    request = get(
        "/log_entries",
        since=since,
        until=until,
        is_overview=True,
        **{"team_ids[]": arguments.team_ids},
    )
    listed: ListResult = yield list_request(request, "log_entries", _MAX_LOG_ENTRIES, divisible=True)
    first_at: dict[str, datetime] = {}
    for entry in listed.items:
        at = parse_instant(entry.get("created_at"))
        incident = as_object(entry.get("incident")).get("id")
        if at and incident and str(entry.get("type", "")).startswith("acknowledge_log_entry"):
            first_at[incident] = min(at, first_at.get(incident, at))
    more = ["The log is longer than is read: some times to acknowledge are missing."] if listed.next else []
    return first_at, [*more, *listed.notes]


def _lag_notes(rows: Sequence[ReportRow], figures: JsonObject | None, now: datetime) -> list[str]:
    if figures is None:
        return []
    missing = [row for row in rows if row.id not in figures]
    if not missing:
        return []
    fresh = sum(row.created > now - ANALYTICS_LAG for row in missing)
    return [
        f"Not in PagerDuty's analytics yet, so with an unknown time to acknowledge: {len(missing)} "
        f"of {len(rows)} incidents, {fresh} of them of the last 24 hours."
    ]


def _rendered(format_: str, report: JsonObject, rows: Sequence[ReportRow]) -> str:
    if format_ == "csv":
        return as_csv(rows)
    return markdown(report) if format_ == "markdown" else json.dumps(report, ensure_ascii=False)


TOOLS = (
    Tool(
        name="generate_report",
        title="Generate report",
        description="A report on incidents and response times: counts by service, priority, urgency and day, "
        "times to acknowledge and resolve (mean, p50, p90). 30 days by default, 180 at most.",
        category=Category.ANALYTICS,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=GenerateReport,
        plan=generate_report,
        shape=Shape.REPORT,
        columns=(
            Column("Title", "report.title"),
            Column("From", "report.since"),
            Column("Until", "report.until"),
            Column("Incidents", "report.incidents"),
        ),
        operations=("listIncidents", "getAnalyticsIncidents", "listLogEntries"),
        scopes=("incidents.read", "analytics.write"),
        durable=True,
    ),
)
