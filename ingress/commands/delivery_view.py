"""Deliveries, refusals, explanations and keys as a terminal shows them."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.untrusted_text import clean_text
from ingress.commands.tool_view import a_table, words

Json = dict[str, Any]

STATE_STYLE = {
    "applied": "green", "pending": "cyan", "forwarded": "cyan", "recorded": "dim",
    "skipped_paused": "bold yellow", "conflict": "bold red", "dead_letter": "bold red",
}  # fmt: skip
STEP_STYLE = {"ok": "green", "missing": "bold red", "unknown": "bold yellow"}


def delivery_table(deliveries: Sequence[Json]) -> Table:
    table = a_table("#", "received", "event", "incident", "verdict", "state", "ms", "bytes", "again", "issue")
    for delivery in deliveries:
        again = f"{delivery['duplicates']} dup, {delivery['replays']} replays"
        table.add_row(
            str(delivery["seq"]),
            words(delivery["received_at"]),
            words(delivery["event_type"]),
            words(delivery["incident_id"]),
            words(delivery["verdict"]),
            Text(delivery["state"], STATE_STYLE.get(delivery["state"], "")),
            words(delivery["latency_ms"]),
            str(delivery["body_bytes"]),
            again,
            _effect(delivery["effect"]),
        )
    return table


def delivery_view(delivery: Json) -> RenderableType:
    """Return one delivery, field by field, with its body below."""
    table = a_table("", "")
    table.show_header = False
    for name, value in delivery.items():
        if name not in {"body", "body_missing", "effect"}:
            table.add_row(Text(name, "bold"), words(value))
    table.add_row(Text("effect", "bold"), _effect(delivery["effect"]))
    body = delivery["body"]
    return Group(table, Text(), Text(body if body is not None else f"(no body: {delivery['body_missing']})"))


def refusal_table(refusals: Sequence[Json]) -> Table:
    table = a_table("#", "at", "webhook", "verdict", "reason", "status", "bytes", "sha256")
    for refusal in refusals:
        table.add_row(
            str(refusal["id"]),
            words(refusal["at"]),
            words(refusal["webhook"]),
            words(refusal["verdict"]),
            words(refusal["reason"]),
            str(refusal["status"]),
            str(refusal["body_bytes"]),
            refusal["body_sha256"][:12],
        )
    return table


def explanation_view(explanation: Json) -> RenderableType:
    """Return the walk, a step a line, and what to do about the first one that is not ok."""
    lines = [
        Text.assemble(
            (f"{step['state']:<8}", STEP_STYLE[step["state"]]), f"{step['name']}: {clean_text(step['words'])}"
        )
        for step in explanation["steps"]
    ]
    if explanation["advice"]:
        lines.append(Text(f"\n{clean_text(explanation['advice'])}"))
    return Group(*lines)


def key_table(keys: Sequence[Json]) -> Table:
    table = a_table("id", "name", "person", "scopes", "permissions", "expires", "state")
    for key in keys:
        state = Text("revoked", "red") if key["revoked_at"] else Text("valid", "green")
        scopes = Text("everything") if key["scopes"] is None else words(key["scopes"])
        table.add_row(
            words(key["id"]), words(key["name"]), words(key["person"]), scopes, words(key["permissions"]),
            words(key["expires_at"]), state,
        )  # fmt: skip
    return table


def _effect(effect: Json | None) -> Text:
    if effect is None:
        return Text("-")
    return Text(f"{effect['issue_id']} {effect['action']}{', moved' if effect['moved'] else ''}")
