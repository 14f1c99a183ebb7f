"""Show webhooks, their validation and their test in a terminal."""

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]

STATE_STYLE = {
    "waiting_for_secret": "yellow", "unproven": "yellow", "armed": "green", "paused": "cyan",
    "disabled_by_pagerduty": "bold red", "deleted": "dim",
}  # fmt: skip
_MAX_TEXT_LENGTH = 1000


def webhook_table(webhooks: Iterable[Json]) -> Table:
    table = empty_table(
        "webhook", "state", "name", "scope", "events", "only of", "subscription", "connection"
    )
    for webhook in webhooks:
        only = webhook["service_ids"] or webhook["team_ids"]
        table.add_row(
            cell_text(webhook["id"]),
            Text(webhook["state"], style=STATE_STYLE[webhook["state"]]),
            cell_text(webhook["name"] or None),
            cell_text(webhook["scope"]),
            cell_text(webhook["event_set"]),
            cell_text(only or "everything"),
            cell_text("ours" if webhook["managed"] else "by hand"),
            cell_text(webhook["connection_id"]),
        )
    return table


def webhook_view(webhook: Json) -> RenderableType:
    """Return a webhook, a line per field, with the steps that are left to set it up."""
    lines = Table.grid(padding=(0, 2))
    for name in (
        "id",
        "state",
        "name",
        "scope",
        "url",
        "event_set",
        "connection_id",
        "created_at",
        "armed_at",
    ):
        if webhook[name]:
            style = STATE_STYLE.get(webhook["state"], "") if name == "state" else ""
            lines.add_row(Text(name, style="dim"), Text(sanitize_text(str(webhook[name])), style=style))
    for secret in webhook["secrets"]:
        until = f", valid until {secret['expires_at']}" if secret["expires_at"] else ""
        lines.add_row(
            Text("secret", style="dim"),
            Text(f"number {secret['version']}, set {secret['created_at']}{until}"),
        )
    return Group(lines, *_details(webhook))


def created_webhook_view(webhook: Json) -> RenderableType:
    """Return a new webhook: its whole address, and the steps to set it up."""
    parts: list[RenderableType] = [
        Text.assemble("Webhook for ", (webhook["scope"], "bold")),
        Text(f"  {webhook['url']}", no_wrap=True, overflow="ignore"),
        Text("The address is shown only now: keep it like a password.", style="dim"),
    ]
    if not webhook["has_secret"]:
        parts.append(
            Text("It has no signing secret yet, so deliveries are answered 503 and PagerDuty resends them.")
        )
    return Group(*parts, *_details(webhook))


def step_line(step: Json) -> RenderableType:
    sign, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "dim")}[step["ok"]]
    line = Text.assemble((f"{sign} {step['name']:<11}", style), _sanitized(step["words"]))
    line.append(f"  {step['milliseconds']} ms", style="dim")
    if step["advice"]:
        line.append(f"\n  {_sanitized(step['advice'])}", style="yellow")
    return line


def validation_line(validation: Json) -> RenderableType:
    sign, style = ("✓", "green") if validation["proven"] else ("…", "yellow")
    line = Text.assemble((f"{sign} {validation['finding']}  ", style), _sanitized(validation["words"]))
    for alarm in validation["alarms"]:
        line.append(f"\n! but the doctor alarms: {_sanitized(alarm)}", style="bold red")
    return line


def _details(webhook: Json) -> Iterable[RenderableType]:
    for note in webhook.get("notes", ()):
        yield Text(f"note: {_sanitized(note)}", style="dim")
    for warning in webhook.get("warnings", ()):
        yield Text(f"! {_sanitized(warning)}", style="yellow")
    for number, step in enumerate(webhook.get("steps", ()), 1):
        yield Text(f"{number}. {_sanitized(step)}", overflow="fold")


def _sanitized(text: str) -> str:
    return sanitize_text(str(text), _MAX_TEXT_LENGTH)
