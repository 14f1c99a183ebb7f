"""Show deliveries, refusals, explanations and API keys in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]

STATE_STYLE = {
    "applied": "green", "pending": "cyan", "forwarded": "cyan", "recorded": "dim",
    "skipped_paused": "bold yellow", "conflict": "bold red", "dead_letter": "bold red",
}  # fmt: skip
STEP_STYLE = {"ok": "green", "missing": "bold red", "unknown": "bold yellow"}


def delivery_table(deliveries: Sequence[Json]) -> Table:
    table = empty_table(
        "#", "received", "event", "incident", "verdict", "state", "ms", "bytes", "again", "issue"
    )
    for delivery in deliveries:
        again = f"{delivery['duplicates']} dup, {delivery['replays']} replays"
        table.add_row(
            str(delivery["seq"]),
            cell_text(delivery["received_at"]),
            cell_text(delivery["event_type"]),
            cell_text(delivery["incident_id"]),
            cell_text(delivery["verdict"]),
            Text(delivery["state"], STATE_STYLE.get(delivery["state"], "")),
            cell_text(delivery["latency_ms"]),
            str(delivery["body_bytes"]),
            again,
            _effect(delivery["effect"]),
        )
    return table


def delivery_view(delivery: Json) -> RenderableType:
    """Return a delivery, a line per field, with its body below."""
    table = empty_table("", "")
    table.show_header = False
    for name, value in delivery.items():
        if name not in {"body", "body_missing", "effect"}:
            table.add_row(Text(name, "bold"), cell_text(value))
    table.add_row(Text("effect", "bold"), _effect(delivery["effect"]))
    body = delivery["body"]
    return Group(table, Text(), Text(body if body is not None else f"(no body: {delivery['body_missing']})"))


def refusal_table(refusals: Sequence[Json]) -> Table:
    table = empty_table("#", "at", "webhook", "verdict", "reason", "status", "bytes", "sha256")
    for refusal in refusals:
        table.add_row(
            str(refusal["id"]),
            cell_text(refusal["at"]),
            cell_text(refusal["webhook"]),
            cell_text(refusal["verdict"]),
            cell_text(refusal["reason"]),
            str(refusal["status"]),
            str(refusal["body_bytes"]),
            refusal["body_sha256"][:12],
        )
    return table


def explanation_view(explanation: Json) -> RenderableType:
    """Return a line per step, and the advice for the first step that is not ok."""
    lines = [
        Text.assemble(
            (f"{step['state']:<8}", STEP_STYLE[step["state"]]),
            f"{step['name']}: {sanitize_text(step['words'])}",
        )
        for step in explanation["steps"]
    ]
    if explanation["advice"]:
        lines.append(Text(f"\n{sanitize_text(explanation['advice'])}"))
    return Group(*lines)


def key_table(keys: Sequence[Json]) -> Table:
    table = empty_table("id", "name", "person", "scopes", "permissions", "expires", "last used", "state")
    for key in keys:
        state = Text("revoked", "red") if key["revoked_at"] else Text("valid", "green")
        scopes = Text("everything") if key["scopes"] is None else cell_text(key["scopes"])
        table.add_row(
            cell_text(key["id"]),
            cell_text(key["name"]),
            cell_text(key["person"]),
            scopes,
            cell_text(key["permissions"]),
            cell_text(key["expires_at"]),
            cell_text(key["last_used_at"]),
            state,
        )
    return table


def _effect(effect: Json | None) -> Text:
    if effect is None:
        return Text("-")
    return Text(f"{effect['issue_id']} {effect['action']}{', moved' if effect['moved'] else ''}")
