"""Tools: what each does, whether the caller may use it on a connection, and trying a read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from calmo_pagerduty.access.permissions import TOOLS_READ
from calmo_pagerduty.tool_calls.model import Channel
from calmo_pagerduty.tools.arguments import InvalidArguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access
from ingress.api.endpoints import NoInput
from ingress.api.errors import ResourceNotFound
from ingress.dashboard.looks import LOOK_OF_CALL_STATE
from ingress.dashboard.page import Ask, Content, Page
from ingress.dashboard.tables import Column, Table
from ingress.dashboard.tool_forms import ArgumentField, argument_fields, arguments_from
from ingress.dashboard.values import outline
from ingress.tools.models import ToolListQuery, ToolModel

#: A read that is tried answers within this, or is shown as still running.
WAIT_SECONDS = 10.0


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/tools, judged for the connection that is chosen. Raises NoSuchConnection."""
    connections, chosen = await _connections(ask)
    listed = await _judged(ask, chosen)
    tools = sorted(listed, key=lambda tool: (tool.category, tool.access, tool.name))
    return Content({"connections": connections, "chosen": chosen}, {"tools": _tool_table(tools)})


async def show_tool(ask: Ask) -> Content:
    """GET /dashboard/tools/{name}: its arguments; with `try=yes` a read's answer. Raises ResourceNotFound."""
    name = ask.request.path_params["name"]
    if name not in TOOLS:
        raise ResourceNotFound(f"there is no tool {name[:60]!r}")
    connections, chosen = await _connections(ask)
    listed = await _judged(ask, chosen)
    tool = next(tool for tool in listed if tool.name == name)
    given = ask.request.query_params
    fields = argument_fields(tool.arguments, given)
    answer = await _try(ask, tool, fields, chosen) if given.get("try") == "yes" else {}
    return Content(
        {
            "tool": tool,
            "connections": connections,
            "chosen": chosen,
            "fields": fields,
            "schema": json.dumps(tool.arguments, indent=2),
            "can_try": tool.access is Access.READ and tool.allowed is not False and chosen is not None,
            "problem": None,
            "state": None,
            "error": None,
            "result": (),
            **answer,
        },
        title=tool.title,
    )


async def _judged(ask: Ask, connection: str | None) -> Sequence[ToolModel]:
    query = ToolListQuery(connection=connection, category=[])
    return (await ask.ingress.tools.list(ask.request, ask.caller, query)).tools


async def _try(
    ask: Ask, tool: ToolModel, fields: Sequence[ArgumentField], connection: str | None
) -> Mapping[str, Any]:
    """Make the call. A write is never made from an address."""
    if tool.access is not Access.READ:
        return {"problem": "A write can't be tried here."}
    try:
        arguments = arguments_from(fields)
        answer = await ask.ingress.tool_call_dispatcher.call(
            ask.caller, Channel.REST, connection, tool.name, arguments, wait_seconds=WAIT_SECONDS
        )
    except InvalidArguments as error:
        return {"problem": str(error)}
    return {
        "state": LOOK_OF_CALL_STATE[answer.state],
        "error": answer.error,
        "result": outline(answer.result),
    }


def _tool_table(tools: Sequence[ToolModel]) -> Table[ToolModel]:
    return Table(
        "Tools",
        (
            Column("Tool", lambda tool: tool.name, cell="tool"),
            Column("Category", lambda tool: tool.category.value.replace("-", " "), is_wide_only=True),
            Column("Does", lambda tool: "reads" if tool.access is Access.READ else "changes"),
            Column("Risk", lambda tool: tool.risk.value, cell="risk"),
            Column("You may", _may, cell="may_use"),
        ),
        tools,
    )


def _may(tool: ToolModel) -> str:
    if tool.allowed is None:
        return ""
    if not tool.allowed:
        return f"no: {tool.why}"
    return "with approval" if tool.needs_approval else "yes"


async def _connections(ask: Ask) -> tuple[Sequence[Any], str | None]:
    """Return the connections that the caller sees, and the one that is chosen: the only one by itself."""
    listed = await ask.ingress.connections.list(ask.request, ask.caller, NoInput())
    chosen = ask.request.query_params.get("connection")
    if chosen is None and len(listed.connections) == 1:
        chosen = listed.connections[0].id
    return listed.connections, chosen or None


PAGES = (
    Page(
        "/tools",
        "Tools",
        TOOLS_READ,
        show_list,
        "tools",
        menu="Tools",
        key="t",
        sets_up="What agents and services can read and change at PagerDuty, and trying a read.",
    ),
    Page("/tools/{name}", "Tool", TOOLS_READ, show_tool, "tool", sets_up="What it takes."),
)
