"""Issues: the list with its facets, and the row of a list that a live page fetches again."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse

from calmo_pagerduty.access.permissions import DELIVERIES_READ, ISSUES_READ
from calmo_pagerduty.access.saved_view_store import SavedView
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.model import IssueOrigin
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from ingress.api.endpoints import NoInput
from ingress.api.errors import ResourceNotFound
from ingress.dashboard.facets import Facet
from ingress.dashboard.looks import LOOK_OF_SEVERITY, LOOK_OF_STATUS
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.saved_views import list_own_views, view_actions
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.incidents.models import IssueListQuery, IssueModel

#: A download holds at most so many issues.
MAX_DOWNLOADED = 5000
MAX_SERVICES = 12

VIEWS = (
    SavedView("Open", "status=triggered&status=acknowledged"),
    SavedView("Unacknowledged", "status=triggered"),
    SavedView("Critical", "severity=critical&status=triggered&status=acknowledged"),
    SavedView("From findings", "origin=finding"),
    SavedView("All", ""),
)


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/issues, with the filters of GET /api/issues."""
    query = ask.query(IssueListQuery)
    if ask.download is not None:
        return Content(tables={"issues": issue_table("Issues", await _all_issues(ask, query))})
    page = await ask.ingress.issues.list(ask.request, ask.caller, query)
    counts = await ask.read(lambda t: issue_queries.count_issues_by(t, ask.caller.visibility))
    return Content(
        {
            "facets": _facets(counts),
            "views": VIEWS,
            "own_views": await list_own_views(ask, LIST.path),
            "next_cursor": page.next_cursor,
            "is_first": query.cursor is None,
        },
        {"issues": issue_table("Issues", page.issues, "No issue matches these filters.")},
    )


async def show_row(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/row: the issue's row, as the lists draw it. Raises ResourceNotFound."""
    issue = await ask.ingress.issues.show(ask.request, ask.caller, NoInput())
    return Content({"issue": issue}, {"issues": issue_table("Issues", [issue])})


async def go_to_issue(ask: Ask) -> Content:
    """GET /dashboard/incidents/{incident}: the issue of an incident, for links from PagerDuty.

    Several connections may have one each; if none has, the explanation says why. Raises ResourceNotFound.
    """
    incident = ask.request.path_params["incident"]
    query = IssueListQuery.model_validate({"incident": [incident], "limit": 2})
    found = (await ask.ingress.issues.list(ask.request, ask.caller, query)).issues
    if len(found) == 1:
        return Content(file=RedirectResponse(f"{ROOT}/issues/{found[0].id}", 303))
    if found:
        return Content(file=RedirectResponse(f"{LIST.address}?{urlencode({'incident': incident})}", 303))
    if not ask.may(DELIVERIES_READ):
        raise ResourceNotFound(f"there is no issue of incident {incident[:60]!r}")
    return Content(file=RedirectResponse(f"{ROOT}/explain/{quote(incident, safe='')}", 303))


def issue_table(
    caption: str, issues: Sequence[IssueModel], empty: str = "There is no issue."
) -> Table[IssueModel]:
    """Return the table of issues that every page shows."""
    return Table(
        caption,
        (
            Column("Severity", lambda issue: LOOK_OF_SEVERITY[issue.severity].word, cell="severity"),
            Column("Issue", lambda issue: issue.title, cell="issue"),
            Column("Status", lambda issue: LOOK_OF_STATUS[issue.status].word, cell="status"),
            Column("Service", lambda issue: _name(issue.service), cell="service"),
            Column("With", lambda issue: ", ".join(map(_name, issue.assignees)), cell="assignees"),
            Column("Began", lambda issue: issue.created_at.isoformat(), cell="began"),
        ),
        issues,
        empty=empty,
        kind="issue",
        key=lambda issue: issue.id,
    )


def _name(reference: Any) -> str:
    return "" if reference is None else str(reference.name or reference.id)


async def _all_issues(ask: Ask, query: IssueListQuery) -> Sequence[IssueModel]:
    query = query.model_copy(update={"limit": 200})
    found: list[IssueModel] = []
    while len(found) < MAX_DOWNLOADED:
        page = await ask.ingress.issues.list(ask.request, ask.caller, query)
        found += page.issues
        if page.next_cursor is None:
            break
        query = query.model_copy(update={"cursor": page.next_cursor})
    return found


def _facets(counts: Any) -> Sequence[Facet]:
    number = {name: dict(pairs) for name, pairs in counts.items()}
    words: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = (
        ("status", "Status", [(value, LOOK_OF_STATUS[value].word) for value in IncidentStatus]),
        ("severity", "Severity", [(value, LOOK_OF_SEVERITY[value].word) for value in Severity]),
        ("origin", "Opened by", [(value, value.capitalize()) for value in IssueOrigin]),
        ("service", "Service", [(value, value) for value, _ in counts["service"][:MAX_SERVICES]]),
    )
    return [
        Facet(name, heading, [(value, word, number[name].get(value, 0)) for value, word in values])
        for name, heading, values in words
    ]


LIST = Page("/issues", "Issues", ISSUES_READ, show_list, "issues", menu="Issues", key="i")
PAGES = (
    LIST,
    Page("/issues/{id}/row", "Issue", ISSUES_READ, show_row, "issue_row"),
    Page("/incidents/{incident}", "Issue", ISSUES_READ, go_to_issue, "issue"),
)
ACTIONS = view_actions(LIST.path, LIST.permission, IssueListQuery)
