"""Now: what needs somebody at this moment."""

from collections.abc import Sequence

from calmo_pagerduty.access.permissions import FINDINGS_READ, ISSUES_READ, TOOLS_READ
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.findings.lifecycle import FindingState
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.tool_calls.model import CallState
from ingress.dashboard.first_steps import first_step
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.pages.issues import issue_table
from ingress.dashboard.trust import trust_signs
from ingress.findings.models import FindingListQuery, InboxFindingModel
from ingress.incidents.models import IssueListQuery, IssueModel
from ingress.tools.models import ToolCallListQuery, ToolCallModel

OPEN = (IncidentStatus.TRIGGERED, IncidentStatus.ACKNOWLEDGED)
#: More open issues than these are on the page of issues.
MAX_SHOWN = 50
#: More waiting calls than these are on the page of approvals.
MAX_CALLS = 5
#: The analysis that finds gaps, its findings that are some, and states in which nobody has said no to one.
COVERAGE = "coverage"
GAPS = frozenset({"policy_gap", "first_level_gap"})
UNDECIDED = (FindingState.NEW, FindingState.RETURNED, FindingState.ACCEPTED)


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
            "approvals": await _waiting_calls(ask),
            "signs": await trust_signs(ask),
            "next_gap": await _next_gap(ask),
        },
        {
            "yours": issue_table("Yours", yours, "None of the open issues is yours."),
            "others": issue_table("Open", others, "No other issue is open."),
        },
    )


async def _waiting_calls(ask: Ask) -> Sequence[ToolCallModel]:
    """Return the calls that wait for a person, if the caller may see any."""
    if not ask.may(TOOLS_READ):
        return ()
    query = ToolCallListQuery(state=[CallState.WAITING], limit=MAX_CALLS)
    return (await ask.ingress.tools.list_calls(ask.request, ask.caller, query)).calls


async def _next_gap(ask: Ask) -> InboxFindingModel | None:
    """Return the open finding of a gap that begins next; None if there is none, or it isn't theirs."""
    if not ask.may(FINDINGS_READ):
        return None
    query = FindingListQuery.model_validate({"state": UNDECIDED, "analysis": [COVERAGE], "limit": 200})
    found = (await ask.ingress.findings.list(ask.request, ask.caller, query)).findings
    gaps = [finding for finding in found if finding.code in GAPS]
    later = [(gap.starts_at, gap) for gap in gaps if gap.starts_at is not None and gap.starts_at > ask.now]
    return min(later, key=lambda row: row[0])[1] if later else None


def _is_assigned(issue: IssueModel, user_id: str | None) -> bool:
    return user_id is not None and any(assignee.id == user_id for assignee in issue.assignees)


async def show_headline(_ask: Ask) -> Content:
    """GET /dashboard/headline: the line at the top of every page, which a live page fetches again."""
    return Content()


PAGES = (
    Page("/now", "Now", ISSUES_READ, show, "now", menu="Now", key="n"),
    Page("/headline", "Headline", ISSUES_READ, show_headline, "headline"),
)
