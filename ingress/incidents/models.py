"""API models of issues. The OpenAPI document is made from them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from calmo_pagerduty.connections.severity import COLOUR_OF_SEVERITY, Severity
from calmo_pagerduty.contexts.store import StoredContext
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.queries import IssueChange, IssueFilter, IssueOrder
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import IncidentStatus, IssueAction
from ingress.api.models import Cursor, Links, Model, Word
from ingress.incidents.response_target_models import ResponseModel
from workflows import names


class ReferenceModel(Model):
    """A PagerDuty object: a user, a service, a team, an escalation policy."""

    id: str
    type: str
    name: str | None = None
    url: str | None = None


class TimelineEntryModel(Model):
    """A line of the timeline. `moved` is true if it changed the issue's state.

    If it was done from Calmo, `author` did it by the tool call `operation_id`, and `actor` is the PagerDuty
    user of our token.
    """

    event_id: str
    event_type: str
    action: IssueAction
    occurred_at: datetime
    actor: ReferenceModel | None
    summary: str
    moved: bool
    author: str | None
    operation_id: str | None


class IssueModel(Model):
    """A PagerDuty incident as Calmo stores it, or an issue that a finding opened. All times are UTC.

    If `origin` is `finding`, PagerDuty knows no such incident: `incident_id` begins with `finding:`, and the
    issue closes and reopens by itself, as its finding does (`/api/findings/{finding_id}`).
    """

    id: str
    origin: IssueOrigin
    finding_id: int | None
    #: Incidents that nobody would be paged for; null if unknown, or if an incident opened the issue.
    expected_dropped_incidents: float | None
    incident_id: str
    connection_id: str
    scope: str
    number: int | None
    title: str
    status: IncidentStatus
    severity: Severity
    colour: str
    urgency: str | None
    priority: str | None
    service: ReferenceModel | None
    escalation_policy: ReferenceModel | None
    assignees: list[ReferenceModel]
    teams: list[ReferenceModel]
    url: str | None
    resolve_reason: str | None
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    reopened_at: datetime | None
    last_event_type: str | None
    last_event_at: datetime | None
    needs_reconcile: bool
    response: ResponseModel
    workflow_id: str
    workflow_url: str


class ContextSummaryModel(Model):
    """The newest complete context. `impact` is from 0 to 100, or null if unknown."""

    version: int
    impact: float | None
    is_degraded: bool
    url: str


class IssueWithTimeline(IssueModel):
    timeline: list[TimelineEntryModel]
    #: Null if no context is complete yet.
    context: ContextSummaryModel | None = None


class IssuePageModel(Model):
    issues: list[IssueModel]
    next_cursor: str | None


class ChangeModel(Model):
    """A change, as a server-sent event. A client resumes after its `id`."""

    id: int
    at: datetime
    event_types: list[str]
    status: IncidentStatus
    issue: IssueModel


class IssueListQuery(Model):
    """Filters of the list. A repeated parameter means any of its values."""

    status: Annotated[list[IncidentStatus], Field(default=[])]
    severity: Annotated[list[Severity], Field(default=[])]
    #: A service's id or its name.
    service: Annotated[list[Word], Field(default=[])]
    #: A PagerDuty incident's id.
    incident: Annotated[list[Word], Field(default=[])]
    #: personal:USER or organization:ORG.
    scope: Annotated[list[str], Field(default=[])]
    #: incident or finding.
    origin: Annotated[list[IssueOrigin], Field(default=[])]
    #: Part of the title in any case, or the incident's number.
    text: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    order: IssueOrder = IssueOrder.NEWEST
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor = None

    def filter(self) -> IssueFilter:
        """Return the filter. Raises InvalidScope."""
        return IssueFilter(
            statuses=tuple(self.status),
            severities=tuple(self.severity),
            services=tuple(self.service),
            incidents=tuple(self.incident),
            scopes=tuple(Scope.parse(scope) for scope in self.scope),
            origins=tuple(self.origin),
            text=self.text.strip(),
        )


class ChangesQuery(Model):
    """The stream begins after the change with this number, or now."""

    after: Annotated[int, Field(ge=0, le=2**62)] | None = None


def issue_model(issue: Issue, response: ResponseModel, links: Links) -> IssueModel:
    return IssueModel.from_row(issue, **_computed(issue, response, links))


def issue_with_timeline(
    issue: Issue,
    response: ResponseModel,
    links: Links,
    timeline: tuple[TimelineEntry, ...],
    context: StoredContext | None = None,
) -> IssueWithTimeline:
    return IssueWithTimeline.from_row(
        issue,
        **_computed(issue, response, links),
        timeline=[TimelineEntryModel.from_row(entry) for entry in timeline],
        context=_summary(context) if context else None,
    )


def change_model(change: IssueChange, response: ResponseModel, links: Links) -> ChangeModel:
    return ChangeModel.from_row(change, issue=issue_model(change.issue, response, links))


def _computed(issue: Issue, response: ResponseModel, links: Links) -> dict[str, object]:
    ref = issue.ref
    workflow_id = ref.workflow_id
    if issue.origin is IssueOrigin.FINDING:
        workflow_id = names.oncall_workflow_id(ref.connection_id)
    return {
        "id": ref.issue_id,
        "expected_dropped_incidents": issue.expected_dropped,
        "incident_id": ref.incident_id,
        "connection_id": ref.connection_id,
        "scope": str(issue.scope),
        "colour": COLOUR_OF_SEVERITY[issue.severity],
        "response": response,
        "workflow_id": workflow_id,
        "workflow_url": links.workflow(workflow_id),
    }


def _summary(context: StoredContext) -> ContextSummaryModel | None:
    if context.document is None:
        return None
    return ContextSummaryModel.from_row(
        context,
        impact=context.document["assessment"]["impact"]["score"],
        url=f"/api/issues/{context.issue_id}/context",
    )
