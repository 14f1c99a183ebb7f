"""Proposing a draft: the gated call of a tool, and what the rules say of it before it is made."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.tool_calls.model import CallState, Channel
from calmo_pagerduty.tools.arguments import InvalidArguments
from ingress.api.errors import CallStored
from ingress.dashboard.looks import LOOK_OF_CALL_STATE
from ingress.dashboard.page import Ask, Done
from ingress.dashboard.security import ROOT
from ingress.tools.models import ToolListQuery, ToolModel

#: Tools that make a computed draft come true.
TOOLS_OF_DRAFTS = frozenset(
    {"apply_schedule_draft", "add_schedule_rotation", "update_schedule", "add_service_dependency"}
)
#: How long a call that needs no approval is waited for.
WAIT_SECONDS = 5.0


class Proposal(NamedTuple):
    """A draft as the arguments of a tool, and whether the caller may ask for it. `why` names the rule."""

    tool: str
    title: str
    arguments: str
    is_allowed: bool
    needs_approval: bool
    why: str


async def proposals(
    ask: Ask, connection: str, drafts: Mapping[str, tuple[str, JsonObject]]
) -> dict[str, Proposal]:
    """Return the drafts, each a tool's name and its arguments, as the caller may propose them."""
    if not drafts:
        return {}
    tools = await judged_tools(ask, connection)
    return {
        name: Proposal(
            tool,
            tools[tool].title,
            json.dumps(arguments, separators=(",", ":")),
            tools[tool].allowed is True,
            tools[tool].needs_approval is not False,
            tools[tool].why or "",
        )
        for name, (tool, arguments) in drafts.items()
        if tool in TOOLS_OF_DRAFTS
    }


async def judged_tools(ask: Ask, connection: str) -> Mapping[str, ToolModel]:
    """Return all tools by name, each with what the connection's rules say of the caller's use of it."""
    query = ToolListQuery(connection=connection, category=[])
    return {tool.name: tool for tool in (await ask.ingress.tools.list(ask.request, ask.caller, query)).tools}


async def propose(ask: Ask) -> Done:
    """POST /dashboard/schedules/propose: call the tool with exactly the draft that the person saw.

    Raises NoSuchConnection, InvalidArguments, CallRefused.
    """
    tool, arguments = ask.text("tool") or "", _arguments(ask.text("arguments") or "")
    if tool not in TOOLS_OF_DRAFTS:
        raise InvalidArguments(f"tool: {tool[:40]!r} takes no draft")
    try:
        answer = await ask.ingress.tool_call_dispatcher.call(
            ask.caller, Channel.REST, ask.text("connection"), tool, arguments, wait_seconds=WAIT_SECONDS
        )
    except CallStored:
        words = "Proposed. Temporal can't be reached: the call is stored, and goes on by itself."
        return Done(f"{ROOT}/approvals", words, "note")
    path = f"{ROOT}/approvals" if answer.call is None else f"{ROOT}/approvals/{answer.call.id}"
    if answer.state is CallState.WAITING:
        return Done(path, "Proposed. Nothing is changed until another person approves of it.", "note")
    look = LOOK_OF_CALL_STATE[answer.state]
    return Done(path, f"The call was made: {look.word.lower()}.", "failed" if look.tone == "bad" else "done")


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidArguments("arguments: this is no draft")
    return arguments
