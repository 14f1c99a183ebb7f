"""Connections: PagerDuty accounts, what their tokens can do, their settings; connecting and removing them."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, CONNECTIONS_WRITE
from calmo_pagerduty.connections.severity import SEVERITY_OF_PRIORITY, Severity
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.tools.permissions import Switch
from ingress.api.endpoints import NoInput
from ingress.api.models import NoBody
from ingress.connections.models import ConnectionBody, ConnectionChange, ConnectionModel, TokenBody
from ingress.dashboard.error_pages import SAID_ON_THE_PAGE, STATUS_OF, explain, status_of
from ingress.dashboard.page import Action, Ask, Content, Done, Page, PageAtOnce
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table

HERE = f"{ROOT}/connections"
SETS_UP = "The PagerDuty accounts: their tokens, what may be changed there, response targets and severities."
#: Empty rows of the form for severities.
SPARE_ROWS = 2
#: The fields of the form for a new connection that are filled in again after a refusal: never the token.
_KEPT_FIELDS = ("name", "scope", "region", "token_kind", "from_address")


async def show_list(ask: Ask) -> Content:
    """GET /dashboard/connections"""
    return Content({}, {"connections": connection_table(await list_connections(ask))})


async def show_connection(ask: Ask) -> Content:
    """GET /dashboard/connections/{id}. Raises ResourceNotFound."""
    return _shown(await ask.ingress.connections.show(ask.request, ask.caller, NoInput()))


async def show_new(ask: Ask) -> Content:
    """GET /dashboard/connections/new: the form, with what a refused form had in it."""
    listed = await list_connections(ask)
    visible = [str(scope) for scope in ask.caller.visibility.scopes]
    scopes = sorted({*visible, *(connection.scope for connection in listed)})
    has_simulator = ask.ingress.services.settings.simulator_url is not None
    regions = [region for region in Region if region is not Region.SIMULATOR or has_simulator]
    given = ask.request.query_params
    return Content(
        {
            "scopes": scopes,
            "regions": regions,
            "kinds": list(TokenKind),
            "given": {name: given.get(name, "") for name in _KEPT_FIELDS},
            "is_first": not listed,
        }
    )


async def add(ask: Ask) -> Done:
    """POST /dashboard/connections: the token is tested before it is kept."""
    entered = {name: value for name in _KEPT_FIELDS if (value := ask.text(name)) is not None}
    try:
        body = ConnectionBody.model_validate(
            {**entered, "token": ask.text("token"), "untested": ask.text("untested") is not None}
        )
        added = await ask.ingress.connections.add(ask.request, ask.caller, body)
    except tuple(STATUS_OF) as error:
        if status_of(error) not in SAID_ON_THE_PAGE:
            raise
        return Done(f"{HERE}/new?{urlencode(entered)}", f"Nothing was connected: {explain(error)}", "failed")
    return Done(
        f"{HERE}/{added.id}",
        f"{added.name} is connected. Next: make a webhook, so that its incidents arrive here.",
    )


async def test(ask: Ask) -> PageAtOnce:
    """POST /dashboard/connections/{id}/test: what the token can do, in words. Raises ResourceNotFound."""
    report = await ask.ingress.connections.test(ask.request, ask.caller, NoBody())
    connection = await ask.ingress.connections.show(ask.request, ask.caller, NoInput())
    return PageAtOnce(CONNECTION, _shown(connection, report=report))


async def rotate(ask: Ask) -> Done:
    """POST /dashboard/connections/{id}/token. Raises TokenRefused, PagerDutySilent, NotPermitted."""
    untested = ask.text("untested") is not None
    body = TokenBody.model_validate(
        {
            "token": ask.text("token") or "",
            "token_kind": ask.text("token_kind") or TokenKind.API_TOKEN,
            "untested": untested,
        }
    )
    changed = await ask.ingress.connections.rotate(ask.request, ask.caller, body)
    return Done(
        _path(changed),
        "The new token is kept, untested."
        if untested
        else "PagerDuty accepted the new token, and it is kept. Calls that run already end with the old one.",
    )


async def change_settings(ask: Ask) -> Done:
    """POST /dashboard/connections/{id}/settings. Raises NotPermitted, ValidationError."""
    return await _change(
        ask,
        name=ask.text("name"),
        from_address=ask.text("from_address"),
        requests_per_minute=ask.text("requests_per_minute"),
        context_note=ask.text("context_note") is not None,
    )


async def change_severities(ask: Ask) -> Done:
    """POST /dashboard/connections/{id}/severities. A row without a priority is left out."""
    names = [str(value).strip() for value in ask.form.getlist("priority")]
    levels = [str(value) for value in ask.form.getlist("severity")]
    rows = zip(names, levels, strict=False)
    return await _change(ask, severities={name: level for name, level in rows if name})


async def change_targets(ask: Ask) -> Done:
    """POST /dashboard/connections/{id}/targets. Raises NotPermitted, ValidationError."""
    by_severity = {
        severity: {
            "acknowledge_minutes": ask.text(f"acknowledge.{severity}"),
            "resolve_minutes": ask.text(f"resolve.{severity}"),
        }
        for severity in Severity
    }
    targets = {
        "by_severity": {name: goals for name, goals in by_severity.items() if any(goals.values())},
        "escalates_on_miss": ask.text("escalates_on_miss") is not None,
        "escalation_level": ask.text("escalation_level") or 2,
    }
    has_targets = bool(targets["by_severity"]) or targets["escalates_on_miss"]
    return await _change(ask, response_targets=targets if has_targets else None)


async def remove(ask: Ask) -> Done:
    """POST /dashboard/connections/{id}/remove, with its name typed. Raises NotPermitted, ResourceNotFound."""
    connection = await ask.ingress.connections.show(ask.request, ask.caller, NoInput())
    if ask.text("confirmed_name") != connection.name.strip():
        return Done(_path(connection), "Nothing was removed: type the connection's name exactly.", "failed")
    await ask.ingress.connections.remove(ask.request, ask.caller, NoInput())
    return Done(HERE, f"{connection.name} is removed and its token deleted. Its issues and audit rows stay.")


async def list_connections(ask: Ask) -> Sequence[ConnectionModel]:
    """Return the connections that the caller may see."""
    return (await ask.ingress.connections.list(ask.request, ask.caller, NoInput())).connections


def connection_table(connections: Sequence[ConnectionModel]) -> Table[ConnectionModel]:
    """Return the table of connections."""
    return Table(
        "Connections",
        (
            Column("Connection", lambda connection: connection.name, cell="connection"),
            Column("Scope", lambda connection: connection.scope),
            Column("Region", lambda connection: connection.region.value),
            Column("Token", token_text, cell="connection_token"),
            Column("Writes", writes_text),
            Column("Requests a minute", _rate, is_figure=True, is_wide_only=True),
        ),
        connections,
        empty="No PagerDuty account is connected yet. Connect one: it takes a minute.",
    )


def token_text(connection: ConnectionModel) -> str:
    """Return the state of a connection's token in words, without a time."""
    if connection.token_kind is None:
        return "none: webhooks only"
    kind = "OAuth" if connection.token_kind is TokenKind.OAUTH else "API token"
    return kind if connection.facts.get("tested_at") else f"{kind}, untested"


def writes_text(connection: ConnectionModel) -> str:
    """Tell whether the connection's rules allow any writes."""
    rules = connection.rules
    switches = [rules.switches, *rules.teams.values()]
    allowed = [key for some in switches for key, value in some.items() if value is Switch.ALLOW]
    return "some writes allowed" if allowed else "writes off"


def _rate(connection: ConnectionModel) -> str:
    return str(connection.rate.requests_per_minute)


def _shown(connection: ConnectionModel, report: Any = None) -> Content:
    names = [*connection.severities.items(), *[("", Severity.MEDIUM)] * SPARE_ROWS]
    return Content(
        {
            "connection": connection,
            "token": token_text(connection),
            "writes": writes_text(connection),
            "kinds": list(TokenKind),
            "severities": list(Severity),
            "severity_rows": names,
            "default_severities": SEVERITY_OF_PRIORITY,
            "report": report,
            # The forms of a page that answers a form lead back to the page itself.
            "address": _path(connection),
        },
        title=connection.name,
    )


async def _change(ask: Ask, **values: Any) -> Done:
    body = ConnectionChange.model_validate(_without_empty_name(values))
    changed = await ask.ingress.connections.change(ask.request, ask.caller, body)
    return Done(_path(changed), "The settings are kept.")


def _without_empty_name(values: Mapping[str, Any]) -> Mapping[str, Any]:
    # An empty name would be taken as no change; the model says that it is too short.
    return {**values, "name": values["name"] or ""} if "name" in values else values


def _path(connection: ConnectionModel) -> str:
    return f"{HERE}/{connection.id}"


CONNECTION = Page(
    "/connections/{id}", "Connection", CONNECTIONS_READ, show_connection, "connection", sets_up=SETS_UP
)
PAGES = (
    Page(
        "/connections",
        "Connections",
        CONNECTIONS_READ,
        show_list,
        "connections",
        menu="Connections",
        key="c",
        sets_up=SETS_UP,
    ),
    Page(
        "/connections/new",
        "Connect PagerDuty",
        CONNECTIONS_WRITE,
        show_new,
        "new_connection",
        sets_up=SETS_UP,
    ),
    CONNECTION,
)
ACTIONS = (
    Action("/connections", CONNECTIONS_WRITE, add),
    Action("/connections/{id}/test", CONNECTIONS_WRITE, test),
    Action("/connections/{id}/token", CONNECTIONS_WRITE, rotate),
    Action("/connections/{id}/settings", CONNECTIONS_WRITE, change_settings),
    Action("/connections/{id}/severities", CONNECTIONS_WRITE, change_severities),
    Action("/connections/{id}/targets", CONNECTIONS_WRITE, change_targets),
    Action("/connections/{id}/remove", CONNECTIONS_WRITE, remove),
)
