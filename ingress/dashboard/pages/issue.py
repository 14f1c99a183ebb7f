"""An issue: what it is and what it waits for, what came before it, and what somebody may do about it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse

from calmo_pagerduty.access.permissions import DELIVERIES_READ, ISSUES_READ, TOOLS_READ
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.rendering import wording
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import (
    action_store as operations,
    queries as issue_queries,
    response_target_store as targets,
)
from calmo_pagerduty.incidents.action_names import Action as IncidentAction
from calmo_pagerduty.incidents.action_progress import Progress, progress_of
from calmo_pagerduty.incidents.actions import Operation, parse_action
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.queries import IssueNeighbour
from calmo_pagerduty.incidents.response_targets import ResponseTimes
from calmo_pagerduty.incidents.undoing import Undo, undo_of
from calmo_pagerduty.incidents.waiting import waiting_for
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.authorization_service import CallRefused
from calmo_pagerduty.tool_calls.model import CallState, Channel
from ingress.api.endpoints import NoInput
from ingress.api.errors import CallStored, NotPermitted, ResourceNotFound
from ingress.api.finding import require_issue
from ingress.contexts.models import ContextQuery, GatherIssueBody
from ingress.dashboard.assessment_tables import assessment_tables
from ingress.dashboard.issue_forms import FORMS, ActionForm, Source
from ingress.dashboard.issue_lanes import WORD_OF_LANE, issue_lanes
from ingress.dashboard.looks import LOOK_OF_DELIVERY_STATE
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.deliveries.models import DeliveryListQuery, DeliveryModel
from ingress.incidents.action_options import ActionOption, action_options

MAX_OPERATIONS, MAX_DELIVERIES = 30, 50
#: A form answers within this, and what is still open is shown on the page, which follows it.
WAIT_SECONDS = 3.0
#: Lists to choose from answer within this, else the id is typed.
LIST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page reads at once, of one moment."""

    issue: Issue
    times: ResponseTimes
    connection: Connection | None
    #: The newest first, each with how far it has come.
    operations: Sequence[tuple[Operation, Progress]]
    #: How operations are undone, by their ids; those that can't be are not in it.
    undos: Mapping[str, Undo]
    context: IncidentContext | None
    newer: IssueNeighbour | None
    older: IssueNeighbour | None


async def show(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}. Raises ResourceNotFound."""
    shown = await ask.ingress.issues.show(ask.request, ask.caller, NoInput())
    facts = await ask.read(lambda t: _read_facts(t, ask, shown.id))
    assessment = facts.context.assessment if facts.context else None
    notes = [entry for entry in shown.timeline if entry.event_type == EventType.ANNOTATED]
    deliveries = await _deliveries(ask, facts.issue)
    return Content(
        {
            "issue": shown,
            "facts": facts,
            "options": action_options(facts.issue, facts.connection, ask.caller),
            "forms": FORMS,
            "new_key": _new_key,
            "context": facts.context,
            "assessment": assessment,
            "words": wording,
            "lanes": issue_lanes(shown.timeline, facts.operations, assessment),
            "lane_words": WORD_OF_LANE,
            "undos": facts.undos,
            "waiting": waiting_for(facts.issue, facts.times, facts.operations, ask.now),
            "notes": notes,
            "deliveries": deliveries,
        },
        assessment_tables(assessment) | ({} if deliveries is None else {"deliveries": deliveries}),
        title=f"#{shown.number} {shown.title}" if shown.number is not None else shown.title,
    )


async def go_to_pagerduty(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/pagerduty: the incident at PagerDuty, for links from the Temporal UI.

    Raises ResourceNotFound, also if no event has told the address yet.
    """
    shown = await ask.ingress.issues.show(ask.request, ask.caller, NoInput())
    if shown.url is None:
        raise ResourceNotFound("PagerDuty has not told the address of this incident")
    return Content(file=RedirectResponse(shown.url, 303))


async def show_picture(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/dependencies.svg. Raises ResourceNotFound."""
    return Content(file=await ask.ingress.contexts.picture(ask.request, ask.caller, ContextQuery()))


async def show_context(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/context.md. Raises ResourceNotFound."""
    return Content(file=await ask.ingress.contexts.page(ask.request, ask.caller, ContextQuery()))


async def show_form(ask: Ask) -> Content:
    """GET /dashboard/issues/{id}/act/{action}. Raises ResourceNotFound, InvalidAction."""
    action = parse_action(ask.request.path_params["action"])
    shown = await ask.ingress.issues.show(ask.request, ask.caller, NoInput())
    facts = await ask.read(lambda t: _read_facts(t, ask, shown.id))
    option = action_options(facts.issue, facts.connection, ask.caller)[action]
    form = FORMS[action]
    return Content(
        {
            "issue": shown,
            "action": action,
            "form": form,
            "option": option,
            "lists": await _lists(ask, facts.issue, form, option),
            "idempotency_key": _new_key(),
        },
        title=f"{form.word} {_name_of(shown.number, shown.title)}",
    )


async def act(ask: Ask) -> Done:
    """POST /dashboard/issues/{id}/act/{action}. Raises what `ActionService.act` raises."""
    issue_id, action = ask.request.path_params["id"], parse_action(ask.request.path_params["action"])
    issue = await ask.read(lambda t: require_issue(t, ask.caller.visibility, issue_id))
    page = f"{ROOT}/issues/{issue_id}"
    name = f"{FORMS[action].word} {_name_of(issue.number, issue.title)}"
    return await _act(ask, page, name, action, FORMS[action].arguments(ask.text))


async def undo(ask: Ask) -> Done:
    """POST /dashboard/issues/{id}/undo/{operation}: an action of its own, with the former value.

    If somebody else has changed the incident meanwhile, nothing is done. Raises ResourceNotFound, and what
    `ActionService.act` raises.
    """
    issue_id, operation_id = ask.request.path_params["id"], ask.request.path_params["operation"]
    facts = await ask.read(lambda t: _read_facts(t, ask, issue_id))
    page = f"{ROOT}/issues/{issue_id}"
    name = f"Undo on {_name_of(facts.issue.number, facts.issue.title)}"
    found = facts.undos.get(operation_id)
    if found is None:
        words = "nothing was done: the incident was changed meanwhile, so there is nothing to undo any more."
        return Done(page, f"{name}: {words}", "failed")
    return await _act(ask, page, name, found.action, found.arguments)


async def _act(ask: Ask, page: str, name: str, action: IncidentAction, arguments: Mapping[str, Any]) -> Done:
    """Act on the issue, and say how far it has come. Raises what `ActionService.act` raises."""
    try:
        answer = await ask.ingress.action_service.act(
            ask.caller,
            Channel.REST,
            ask.request.path_params["id"],
            action,
            arguments,
            ask.text("idempotency_key"),
            WAIT_SECONDS,
        )
    except CallStored:
        words = "Temporal can't be reached now. The action is stored and goes on by itself."
        return Done(page, f"{name}: {words}", "note")
    progress = progress_of(answer.operation, answer.call.state)
    kind, words = SAID_OF_PROGRESS[progress]
    detail = str((answer.call.error or {}).get("message") or "") if progress is Progress.NOT_DONE else ""
    return Done(page, " ".join(filter(None, (f"{name}: {words}", detail))), kind)


async def gather(ask: Ask) -> Done:
    """POST /dashboard/issues/{id}/gather. Raises ResourceNotFound, NotAnIncident, TemporalUnavailable."""
    found = await ask.ingress.contexts.gather_issue(ask.request, ask.caller, GatherIssueBody())
    return Done(f"{ROOT}/issues/{found.issue_id}", "The context is being gathered. It takes a few seconds.")


#: What is said after a form was sent: the message's kind, and its words.
SAID_OF_PROGRESS: Mapping[Progress, tuple[str, str]] = {
    Progress.WAITING: ("note", "it waits for a person's approval."),
    Progress.FILED: ("note", "it is stored and will be sent to PagerDuty."),
    Progress.SENT: ("note", "it was sent. PagerDuty has not answered yet."),
    Progress.ANSWERED: ("done", "PagerDuty did it. Its own event, which confirms it, has not come yet."),
    Progress.CONFIRMED: ("done", "PagerDuty did it and confirmed it."),
    Progress.UNCHANGED: ("note", "it was so already, so nothing was done."),
    Progress.UNKNOWN: ("failed", "it may have been done. Look at PagerDuty before you try again."),
    Progress.NOT_DONE: ("failed", "it was not done."),
}


def _new_key() -> str:
    """Return an idempotency key for a form: however often it is sent, it is one action."""
    return secrets.token_hex(16)


def _name_of(number: int | None, title: str) -> str:
    return title if number is None else f"#{number}"


def _read_facts(tx: Transaction, ask: Ask, name: str) -> Facts:
    visibility = ask.caller.visibility
    issue = require_issue(tx, visibility, name)
    issue_id = issue.ref.issue_id
    newer, older = issue_queries.get_neighbours(tx, visibility, issue)
    stored = contexts.get_version(tx, visibility, issue_id)
    operations_, undos = _read_operations(tx, ask, issue)
    document = None if stored is None else stored.document
    return Facts(
        issue=issue,
        times=targets.get_response_times(tx, [issue])[issue_id],
        # Whoever sees the issue learns whether he may act on it, and nothing else of the connection.
        connection=connections.get_connection(tx, EVERYTHING, issue.ref.connection_id),
        operations=operations_,
        undos=undos,
        context=None if document is None else IncidentContext.model_validate(document),
        newer=newer,
        older=older,
    )


def _read_operations(
    tx: Transaction, ask: Ask, issue: Issue
) -> tuple[Sequence[tuple[Operation, Progress]], Mapping[str, Undo]]:
    found, undos = [], {}
    for operation in operations.list_operations(tx, issue.ref.issue_id, MAX_OPERATIONS):
        call = tool_calls.get_visible_call(tx, ask.caller.visibility, operation.id)
        found.append((operation, progress_of(operation, CallState.RUNNING if call is None else call.state)))
        if call is not None and (undo := undo_of(operation, issue, call.result)) is not None:
            undos[operation.id] = undo
    return found, undos


async def _deliveries(ask: Ask, issue: Issue) -> Table[DeliveryModel] | None:
    """Return the deliveries about the incident; None for a caller who may not read any."""
    if not ask.may(DELIVERIES_READ):
        return None
    query = DeliveryListQuery.model_validate({"incident": [issue.ref.incident_id], "limit": MAX_DELIVERIES})
    page = await ask.ingress.deliveries.list(ask.request, ask.caller, query)
    return Table(
        "Raw deliveries",
        (
            Column("Number", lambda delivery: str(delivery.seq), is_figure=True),
            Column("Event", lambda delivery: delivery.event_type or "", cell="event_type"),
            Column("Verdict", lambda delivery: delivery.verdict.replace("_", " "), is_wide_only=True),
            Column(
                "State", lambda delivery: LOOK_OF_DELIVERY_STATE[delivery.state].word, cell="delivery_state"
            ),
            Column("Received", lambda delivery: delivery.received_at.isoformat(), cell="received"),
        ),
        page.deliveries,
        empty="No webhook has told of this incident. What is shown was read from PagerDuty.",
    )


async def _lists(
    ask: Ask, issue: Issue, form: ActionForm, option: ActionOption
) -> Mapping[Source, Sequence[tuple[str, str]]]:
    """Return what fields may be, as (id, name), read from PagerDuty now. What can't be listed is typed."""
    found: dict[Source, Sequence[tuple[str, str]]] = {}
    if not option.is_possible:
        return found
    for source in {field.source for field in form.fields if field.source is not None}:
        arguments = {} if source.limit is None else {"limit": source.limit}
        try:
            answer = await ask.ingress.tool_call_dispatcher.call(
                ask.caller,
                Channel.REST,
                issue.ref.connection_id,
                source.tool,
                arguments,
                wait_seconds=LIST_SECONDS,
            )
        except (CallRefused, NotPermitted, ResourceNotFound):
            continue
        rows: Sequence[Mapping[str, Any]] = (answer.result or {}).get("items") or ()
        found[source] = [(str(row["id"]), str(row.get("name") or row["id"])) for row in rows if "id" in row]
    return found


PAGES = (
    Page("/issues/{id}", "Issue", ISSUES_READ, show, "issue"),
    Page("/issues/{id}/pagerduty", "The incident at PagerDuty", ISSUES_READ, go_to_pagerduty, "issue"),
    Page("/issues/{id}/dependencies.svg", "Dependencies", ISSUES_READ, show_picture, "issue"),
    Page("/issues/{id}/context.md", "Context", ISSUES_READ, show_context, "issue"),
    Page("/issues/{id}/act/{action}", "Act on an issue", ISSUES_READ, show_form, "issue_form"),
)
ACTIONS = (
    Action("/issues/{id}/act/{action}", ISSUES_READ, act),
    Action("/issues/{id}/undo/{operation}", ISSUES_READ, undo),
    Action("/issues/{id}/gather", TOOLS_READ, gather),
)
