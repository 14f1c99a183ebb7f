"""Services: who is reached now for each, what is open, and a service with what may stop a page."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from calmo_pagerduty.access.permissions import FINDINGS_READ, ISSUES_READ
from calmo_pagerduty.coverage.lanes import percent_text
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from ingress.coverage.endpoints import require_object
from ingress.coverage.models import CoverageQuery, NowNextQuery
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.pages.findings import finding_table
from ingress.dashboard.pages.issues import issue_table
from ingress.dashboard.tables import Column, Table
from ingress.findings.models import FindingListQuery
from ingress.incidents.models import IssueListQuery

COVERAGE_DAYS = 30
#: Open issues that are counted. An account with more has other worries than an exact figure.
MAX_COUNTED = 200
OPEN = [IncidentStatus.TRIGGERED, IncidentStatus.ACKNOWLEDGED]


class ServiceRow(NamedTuple):
    """A service in the list."""

    id: str
    name: str
    query: str
    policy_id: str | None
    policy: str
    #: Who is reached now; empty if nobody is.
    now: str
    level: int | None
    would_page: bool | None
    #: None: the caller may not see issues.
    open: str | None
    last_incident: datetime | None
    covered: str
    gaps: str


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/services"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    state = await ask.ingress.coverage.now_next(
        account.request, ask.caller, NowNextQuery(time_zone=account.zone().key)
    )
    coverage = await ask.ingress.coverage.coverage(
        account.request, ask.caller, CoverageQuery(days=COVERAGE_DAYS)
    )
    covered = {row["id"]: row for row in coverage.services}
    counts, last = await _open_issues(ask), _last_incidents(account)
    rows = [_row(account, item, covered, counts, last) for item in state.services]
    return account.content({}, {"services": service_table(sorted(rows, key=lambda row: row.name.casefold()))})


async def show_service(ask: Ask) -> Content:
    """GET /dashboard/services/{service}. Raises ResourceNotFound."""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    service = require_object(account.index.services, "service", ask.request.path_params["service"])
    query = NowNextQuery(service=service.id, time_zone=account.zone().key)
    state = await ask.ingress.coverage.now_next(account.request, ask.caller, query)
    listed = FindingListQuery.model_validate(
        {"entity": [service.id], "connection": [account.connection or ""]}
    )
    found = await ask.ingress.findings.list(ask.request, ask.caller, listed)
    tables: dict[str, Table[Any]] = {"findings": finding_table(found.findings)}
    if ask.may(ISSUES_READ):
        of_service = IssueListQuery.model_validate({"service": [service.id]})
        issues = await ask.ingress.issues.list(ask.request, ask.caller, of_service)
        tables["issues"] = issue_table("Issues", issues.issues, "This service had no incident here.")
    state_of = next(iter(state.services), None)
    checks = [] if state_of is None else state_of["checklist"]
    return account.content(
        {"service": service, "state": state_of, "zone": state.time_zone},
        {"checks": check_table(checks), **tables},
        service.name,
    )


async def _open_issues(ask: Ask) -> Counter[str] | None:
    if not ask.may(ISSUES_READ):
        return None
    query = IssueListQuery.model_validate({"status": OPEN, "limit": MAX_COUNTED})
    page = await ask.ingress.issues.list(ask.request, ask.caller, query)
    return Counter(issue.service.id for issue in page.issues if issue.service is not None)


def _last_incidents(account: Account) -> dict[str, datetime]:
    last: dict[str, int] = {}
    for incident in account.index.snapshot.incidents:
        last[incident.service_id] = max(incident.created_at, last.get(incident.service_id, 0))
    return {service_id: datetime.fromtimestamp(at, UTC) for service_id, at in last.items()}


def _row(
    account: Account,
    item: JsonObject,
    covered: dict[str, JsonObject],
    counts: Counter[str] | None,
    last: dict[str, datetime],
) -> ServiceRow:
    service, policy, now = item["service"], item["policy"], item["now"]
    coverage = covered.get(service["id"])
    share = None if coverage is None else coverage["percentage"]
    return ServiceRow(
        id=service["id"],
        name=service["name"],
        query=account.query_text,
        policy_id=policy and policy["id"],
        policy=policy["name"] if policy else "none",
        now=", ".join(person["name"] for person in now["people"]) if now else "",
        level=now["level"] if now else None,
        would_page=item["a_page_would_come"],
        open=None if counts is None else str(counts[service["id"]]),
        last_incident=last.get(service["id"]),
        covered="unknown" if share is None else percent_text(share),
        gaps="" if coverage is None else str(coverage["gap_count"]),
    )


def service_table(rows: list[ServiceRow]) -> Table[ServiceRow]:
    """Return the table of services."""
    return Table(
        "Services",
        (
            Column("Service", lambda row: row.name, cell="service_row"),
            Column("Policy", lambda row: row.policy, cell="service_policy"),
            Column("Reached now", lambda row: row.now or "nobody", cell="service_now"),
            Column("Open", lambda row: row.open or "", is_figure=True),
            Column("Last incident", _last, cell="service_last"),
            Column("Covered", lambda row: row.covered, is_figure=True),
            Column("Gaps", lambda row: row.gaps, is_figure=True),
        ),
        rows,
        empty="The account has no service. Create one at PagerDuty, then analyse again.",
    )


def _last(row: ServiceRow) -> str:
    return row.last_incident.isoformat() if row.last_incident else ""


def check_table(checks: list[JsonObject]) -> Table[JsonObject]:
    """Return what may stop a page now."""
    return Table(
        "Would a page come now?",
        (
            Column("Check", lambda row: row["check"].replace("_", " ").capitalize()),
            Column("Verdict", lambda row: row["verdict"], cell="check_verdict"),
            Column("Why", lambda row: row["text"]),
        ),
        checks,
        empty="The service is disabled or in no policy, so no page comes.",
    )


PAGES = (
    Page(
        "/services",
        "Services",
        FINDINGS_READ,
        show_list,
        "services",
        menu="Services",
        key="v",
        tab="Services",
    ),
    Page("/services/{service}", "Service", FINDINGS_READ, show_service, "service"),
)
