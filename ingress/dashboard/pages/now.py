"""Now: what needs somebody at this moment."""

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from ingress.dashboard.first_steps import first_step
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.pages.issues import issue_table
from ingress.incidents.models import IssueListQuery, IssueModel

OPEN = (IncidentStatus.TRIGGERED, IncidentStatus.ACKNOWLEDGED)
#: More open issues than these are on the page of issues.
MAX_SHOWN = 50


async def show(ask: Ask) -> Content:
    """GET /dashboard/now: the open issues, the caller's own first, and the worst before the newest."""
    query = IssueListQuery.model_validate({"status": OPEN, "limit": MAX_SHOWN})
    page = await ask.ingress.issues.list(ask.request, ask.caller, query)
    worst_first = sorted(page.issues, key=lambda issue: list(Severity).index(issue.severity))
    yours = [issue for issue in worst_first if _is_assigned(issue, ask.caller.person)]
    others = [issue for issue in worst_first if issue not in yours]
    return Content(
        {
            "has_more": page.next_cursor is not None,
            "first_step": None if worst_first else await first_step(ask),
        },
        {
            "yours": issue_table("Yours", yours, "None of the open issues is yours."),
            "others": issue_table("Open", others, "No other issue is open."),
        },
    )


def _is_assigned(issue: IssueModel, user_id: str | None) -> bool:
    return user_id is not None and any(assignee.id == user_id for assignee in issue.assignees)


PAGES = (Page("/now", "Now", ISSUES_READ, show, "now", menu="Now", key="n"),)
