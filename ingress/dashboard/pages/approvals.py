"""Approvals: calls of tools that wait for a person, with their exact arguments; and what became of others."""

from collections.abc import Sequence

from calmo_pagerduty.access.permissions import APPROVALS_WRITE, TOOLS_READ
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tools.catalogue import TOOLS
from ingress.api.endpoints import NoInput
from ingress.dashboard.looks import LOOK_OF_CALL_STATE, LOOK_OF_RISK
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table
from ingress.dashboard.values import outline
from ingress.tools.models import DecisionBody, ToolCallListQuery, ToolCallModel

MAX_SHOWN = 100


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/approvals: what waits, and the newest other calls."""
    waiting = await _calls(ask, [CallState.WAITING])
    others = await _calls(ask, [state for state in CallState if state is not CallState.WAITING])
    return Content(
        {},
        {
            "waiting": call_table("Waiting for a person", waiting, "No call waits for approval."),
            "others": call_table("Other calls", others, "No tool has been called yet."),
        },
    )


async def show_call(ask: Ask) -> Content:
    """GET /dashboard/approvals/{id}. Raises ResourceNotFound."""
    call = await ask.ingress.tools.show_call(ask.request, ask.caller, NoInput())
    tool = TOOLS.get(call.tool)
    return Content(
        {
            "call": call,
            "tool": tool,
            "look": LOOK_OF_CALL_STATE[call.state],
            "risk": None if tool is None else LOOK_OF_RISK[tool.risk],
            "arguments": outline(call.arguments),
            "result": outline(call.result),
        },
        title=f"{tool.title if tool else call.tool}: {LOOK_OF_CALL_STATE[call.state].word.lower()}",
    )


async def approve(ask: Ask) -> Done:
    """POST /dashboard/approvals/{id}/approve. Raises ResourceNotFound, DecisionRefused."""
    call = await ask.ingress.tools.approve(ask.request, ask.caller, _decision(ask))
    return Done(_path(call), "Approved. The call goes on with exactly these arguments.")


async def deny(ask: Ask) -> Done:
    """POST /dashboard/approvals/{id}/deny. Raises ResourceNotFound, DecisionRefused."""
    call = await ask.ingress.tools.deny(ask.request, ask.caller, _decision(ask))
    return Done(_path(call), "Denied. Nothing was changed at PagerDuty.")


def call_table(caption: str, calls: Sequence[ToolCallModel], empty: str) -> Table[ToolCallModel]:
    """Return the table of calls."""
    return Table(
        caption,
        (
            Column("State", lambda call: LOOK_OF_CALL_STATE[call.state].word, cell="call_state"),
            Column("Call", lambda call: call.tool, cell="call"),
            Column("Asked by", lambda call: call.requester or ""),
            Column("Decided by", lambda call: call.approver or "", is_wide_only=True),
            Column("Asked", lambda call: str(call.created_at or ""), cell="asked"),
        ),
        calls,
        empty=empty,
    )


def _decision(ask: Ask) -> DecisionBody:
    # The form carries the hash of what the person saw, so the decision is for exactly that.
    return DecisionBody(arguments_sha256=ask.text("arguments_sha256"))


def _path(call: ToolCallModel) -> str:
    return f"{ROOT}/approvals/{call.call_id}"


async def _calls(ask: Ask, states: Sequence[CallState]) -> Sequence[ToolCallModel]:
    query = ToolCallListQuery(state=list(states), limit=MAX_SHOWN)
    return (await ask.ingress.tools.list_calls(ask.request, ask.caller, query)).calls


PAGES = (
    Page("/approvals", "Approvals", TOOLS_READ, show_list, "approvals", menu="Approvals", key="a"),
    Page("/approvals/{id}", "Call of a tool", TOOLS_READ, show_call, "approval"),
)
ACTIONS = (
    Action("/approvals/{id}/approve", APPROVALS_WRITE, approve),
    Action("/approvals/{id}/deny", APPROVALS_WRITE, deny),
)
