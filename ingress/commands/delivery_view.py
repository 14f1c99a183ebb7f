"""Deliveries, refusals, explanations and keys as a terminal shows them."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.domain.untrusted_text import clean_text
from ingress.commands.tool_view import a_table, words

Json = dict[str, Any]

STATE_STYLE = {
    "applied": "green", "pending": "cyan", "forwarded": "cyan", "recorded": "dim",
    "skipped_paused": "bold yellow", "conflict": "bold red", "dead_letter": "bold red",
}  # fmt: skip
STEP_STYLE = {"ok": "green", "missing": "bold red", "unknown": "bold yellow"}


def delivery_table(deliveries: Sequence[Json]) -> Table:
    table = a_table("#", "received", "event", "incident", "verdict", "state", "ms", "bytes", "again", "issue")
    for one in deliveries:
        again = f"{one['duplicates']} dup, {one['replays']} replays"
        table.add_row(
            str(one["seq"]), words(one["received_at"]), words(one["event_type"]), words(one["incident_id"]),
            words(one["verdict"]), Text(one["state"], STATE_STYLE.get(one["state"], "")),
            words(one["latency_ms"]), str(one["body_bytes"]), again, _effect(one["effect"]),
        )  # fmt: skip
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
    for one in refusals:
        table.add_row(
            str(one["id"]), words(one["at"]), words(one["webhook"]), words(one["verdict"]),
            words(one["reason"]), str(one["status"]), str(one["body_bytes"]), one["body_sha256"][:12],
        )  # fmt: skip
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
    for one in keys:
        state = Text("revoked", "red") if one["revoked_at"] else Text("valid", "green")
        scopes = Text("everything") if one["scopes"] is None else words(one["scopes"])
        table.add_row(
            words(one["id"]), words(one["name"]), words(one["person"]), scopes, words(one["permissions"]),
            words(one["expires_at"]), state,
        )  # fmt: skip
    return table


def _effect(effect: Json | None) -> Text:
    if effect is None:
        return Text("-")
    return Text(f"{effect['issue_id']} {effect['action']}{', moved' if effect['moved'] else ''}")
