"""Findings: the inbox of all analyses, and a finding with its history and what somebody decides of it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.access.saved_view_store import SavedView
from calmo_pagerduty.findings import queries as finding_queries
from calmo_pagerduty.findings.lifecycle import FindingState
from calmo_pagerduty.findings.model import FindingSeverity
from ingress.api.endpoints import NoInput
from ingress.api.models import NoBody
from ingress.dashboard.facets import Facet
from ingress.dashboard.looks import LOOK_OF_FINDING_SEVERITY, LOOK_OF_FINDING_STATE
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.saved_views import list_own_views, view_actions
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.findings.models import AcceptBody, DismissBody, FindingListQuery, InboxFindingModel

#: A download holds at most so many findings.
MAX_DOWNLOADED = 2000

VIEWS = (
    SavedView("Open", "state=new&state=returned&state=accepted"),
    SavedView("Undecided", "state=new&state=returned"),
    SavedView("Accepted", "state=accepted"),
    SavedView("Dismissed", "state=dismissed"),
    SavedView("All", ""),
)


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/findings, with the filters of GET /api/findings."""
    query = ask.query(FindingListQuery)
    if ask.download is not None:
        return Content(tables={"findings": finding_table(await _all_findings(ask, query))})
    page = await ask.ingress.findings.list(ask.request, ask.caller, query)
    counts = await ask.read(lambda t: finding_queries.count_visible_findings(t, ask.caller.visibility))
    return Content(
        {
            "facets": _facets(counts),
            "views": VIEWS,
            "own_views": await list_own_views(ask, LIST.path),
            "next_cursor": page.next_cursor,
            "is_first": query.cursor is None,
        },
        {"findings": finding_table(page.findings)},
    )


async def show_finding(ask: Ask) -> Content:
    """GET /dashboard/findings/{id}. Raises ResourceNotFound."""
    finding = await ask.ingress.findings.show(ask.request, ask.caller, NoInput())
    return Content({"finding": finding}, title=finding.title)


async def accept(ask: Ask) -> Done:
    """POST /dashboard/findings/{id}/accept. Raises ResourceNotFound, FindingDecisionRefused."""
    finding = await ask.ingress.findings.accept(
        ask.request, ask.caller, AcceptBody(reason=ask.text("reason"))
    )
    return Done(_path(finding), "Accepted: you take care of it. The analysis resolves it when it is mended.")


async def dismiss(ask: Ask) -> Done:
    """POST /dashboard/findings/{id}/dismiss. Raises ResourceNotFound, FindingDecisionRefused."""
    body = DismissBody.model_validate({"reason": ask.text("reason") or ""})
    finding = await ask.ingress.findings.dismiss(ask.request, ask.caller, body)
    return Done(_path(finding), "Dismissed. It comes back by itself if it gets worse.")


async def undo(ask: Ask) -> Done:
    """POST /dashboard/findings/{id}/undo. Raises ResourceNotFound, FindingDecisionRefused."""
    finding = await ask.ingress.findings.undo(ask.request, ask.caller, NoBody())
    return Done(_path(finding), "The decision is undone.")


def finding_table(findings: Sequence[InboxFindingModel]) -> Table[InboxFindingModel]:
    """Return the table of findings."""
    return Table(
        "Findings",
        (
            Column(
                "Severity",
                lambda finding: LOOK_OF_FINDING_SEVERITY[finding.severity].word,
                cell="finding_severity",
            ),
            Column("Finding", lambda finding: finding.title, cell="finding"),
            Column("State", lambda finding: LOOK_OF_FINDING_STATE[finding.state].word, cell="finding_state"),
            Column("Lost pages", _expected_dropped, is_figure=True, is_wide_only=True),
            Column("Confidence", lambda finding: finding.confidence.value, is_wide_only=True),
            Column("First seen", lambda finding: finding.first_seen_at.isoformat(), cell="first_seen"),
        ),
        findings,
        empty="No finding matches. Analyses run daily; the page of analyses starts one now.",
    )


def _expected_dropped(finding: InboxFindingModel) -> str:
    expected = finding.expected_dropped_incidents
    return "" if expected is None else f"{expected:.2g}"


def _path(finding: InboxFindingModel) -> str:
    return f"{ROOT}/findings/{finding.id}"


async def _all_findings(ask: Ask, query: FindingListQuery) -> Sequence[InboxFindingModel]:
    query = query.model_copy(update={"limit": 200})
    found: list[InboxFindingModel] = []
    while len(found) < MAX_DOWNLOADED:
        page = await ask.ingress.findings.list(ask.request, ask.caller, query)
        found += page.findings
        if page.next_cursor is None:
            break
        query = query.model_copy(update={"cursor": page.next_cursor})
    return found


def _facets(counts: Mapping[tuple[str, str, str], int]) -> Sequence[Facet]:
    analyses, states, severities = Counter[str](), Counter[str](), Counter[str]()
    for (analysis, state, severity), number in counts.items():
        analyses[analysis] += number
        states[state] += number
        severities[severity] += number
    return (
        Facet(
            "state",
            "State",
            [(state, LOOK_OF_FINDING_STATE[state].word, states[state]) for state in FindingState],
        ),
        Facet(
            "severity",
            "Severity",
            [(level, LOOK_OF_FINDING_SEVERITY[level].word, severities[level]) for level in FindingSeverity],
        ),
        Facet(
            "analysis",
            "Analysis",
            [(name, name.replace("_", " ").capitalize(), number) for name, number in analyses.most_common()],
        ),
    )


LIST = Page("/findings", "Findings", FINDINGS_READ, show_list, "findings", menu="Findings", key="f")
PAGES = (
    LIST,
    Page("/findings/{id}", "Finding", FINDINGS_READ, show_finding, "finding"),
)
ACTIONS = (
    Action("/findings/{id}/accept", FINDINGS_WRITE, accept),
    Action("/findings/{id}/dismiss", FINDINGS_WRITE, dismiss),
    Action("/findings/{id}/undo", FINDINGS_WRITE, undo),
    *view_actions(LIST.path, LIST.permission, FindingListQuery),
)
