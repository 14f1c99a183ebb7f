"""The commands `calmo-pagerduty deliveries …` and `calmo-pagerduty explain`."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from ingress.commands.delivery_view import delivery_table, delivery_view, explanation_view, refusal_table
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, DATA_DIR
from ingress.commands.output import echo_text, emit, print_json

app = typer.Typer(no_args_is_help=True, help="Read, export and replay the delivery log.")

Webhook = Annotated[list[str] | None, typer.Option(help="A webhook's handle or id")]
Verdict = Annotated[list[str] | None, typer.Option(help="accepted, skipped_paused, dead_letter, conflict")]
State = Annotated[
    list[str] | None,
    typer.Option(help="pending, forwarded, applied, recorded, skipped_paused, conflict, dead_letter"),
]
EventTypes = Annotated[list[str] | None, typer.Option("--event-type", help="incident.triggered, …")]
Incident = Annotated[list[str] | None, typer.Option(help="A PagerDuty incident's id")]
Remark = Annotated[list[str] | None, typer.Option(help="ping, unknown_type, best_effort, stale")]
Since = Annotated[str | None, typer.Option(help="Received at or after this time: 2026-06-01T00:00:00Z")]
Until = Annotated[str | None, typer.Option(help="Received before this time")]
Limit = Annotated[int, typer.Option(min=1, max=200)]
Cursor = Annotated[str | None, typer.Option(help="The cursor that the last answer gave for the next page")]

FilterParams = dict[str, Any]


def _params(filters: FilterParams) -> list[tuple[str, str]]:
    return [
        (name, str(single))
        for name, value in filters.items()
        for single in (value if isinstance(value, list) else [value])
        if single is not None
    ]


def _show_page(page: dict[str, Any], name: str, as_json: bool) -> None:
    table = delivery_table if name == "deliveries" else refusal_table
    emit(page, as_json, lambda page: table(page[name]))
    if page["next_cursor"] and not as_json:
        echo_text(f"More: --cursor {page['next_cursor']}")


def list_webhook_deliveries(
    webhook: Annotated[str, typer.Argument(help="The webhook's id, or its handle from the list")],
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List the deliveries of a webhook, newest first."""
    list_deliveries(webhook=[webhook], limit=limit, cursor=cursor, as_json=as_json, data_dir=data_dir)


@app.command("list")
def list_deliveries(
    webhook: Webhook = None,
    verdict: Verdict = None,
    state: State = None,
    event_type: EventTypes = None,
    incident: Incident = None,
    remark: Remark = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List deliveries, newest first."""
    filters = {
        "webhook": webhook,
        "verdict": verdict,
        "state": state,
        "event_type": event_type,
        "incident": incident,
        "remark": remark,
        "since": since,
        "until": until,
        "limit": limit,
        "cursor": cursor,
    }
    _show_page(client_of(data_dir).get("/api/deliveries", _params(filters)), "deliveries", as_json)


@app.command()
def show(
    delivery: Annotated[int, typer.Argument(min=1, help="The delivery's number")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show a delivery and, if the key may read it, its body with secrets masked."""
    answer = client_of(data_dir).get(f"/api/deliveries/{delivery}")
    emit(answer, as_json, delivery_view)


@app.command()
def export(
    webhook: Webhook = None,
    verdict: Verdict = None,
    state: State = None,
    event_type: EventTypes = None,
    incident: Incident = None,
    remark: Remark = None,
    since: Since = None,
    until: Until = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Write the delivery log as JSON lines, newest first, without bodies."""
    filters = {
        "webhook": webhook,
        "verdict": verdict,
        "state": state,
        "event_type": event_type,
        "incident": incident,
        "remark": remark,
        "since": since,
        "until": until,
    }
    client, cursor = client_of(data_dir), None
    while True:
        page = client.get("/api/deliveries", [*_params(filters | {"cursor": cursor}), ("limit", "200")])
        for delivery in page["deliveries"]:
            print_json(delivery)
        cursor = page["next_cursor"]
        if cursor is None:
            return


@app.command()
def refusals(
    webhook: Webhook = None,
    verdict: Verdict = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List deliveries that were not authenticated, newest first."""
    filters = {
        "webhook": webhook,
        "verdict": verdict,
        "since": since,
        "until": until,
        "limit": limit,
        "cursor": cursor,
    }
    _show_page(client_of(data_dir).get("/api/refusals", _params(filters)), "refusals", as_json)


@app.command()
def replay(
    delivery: Annotated[list[int] | None, typer.Argument(min=1, help="Numbers of deliveries")] = None,
    webhook: Webhook = None,
    verdict: Verdict = None,
    state: State = None,
    event_type: EventTypes = None,
    incident: Incident = None,
    since: Since = None,
    until: Until = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Replay deliveries. An event that is on its timeline already changes nothing."""
    filters = {
        "seqs": delivery,
        "webhook": webhook,
        "verdict": verdict,
        "state": state,
        "event_type": event_type,
        "incident": incident,
        "since": since,
        "until": until,
    }
    body = {name: value for name, value in filters.items() if value}
    if not body:
        raise typer.BadParameter("say which deliveries: numbers, or --webhook, --state, --since …")
    client, replayed, left = client_of(data_dir), 0, dict[str, int]()
    while True:
        batch = client.send("POST", "/api/deliveries/replay", body)
        replayed += batch["replayed"]
        left = {name: left.get(name, 0) + batch["left"].get(name, 0) for name in {*left, *batch["left"]}}
        if not batch["more"]:
            break
        body["after"] = batch["last_seq"]
    others = "".join(f", {count} left: {name}" for name, count in sorted(left.items()))
    emit({"replayed": replayed, "left": left}, as_json, lambda _: f"{replayed} replayed{others}")


def explain(
    incident: Annotated[str, typer.Argument(help="A PagerDuty incident's id")],
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Explain why an incident is or is not an issue, and what to do. Exits with 1 if something is missing."""
    explanation = client_of(data_dir).get(f"/api/explain/{quote(incident, safe='')}")
    emit(explanation, as_json, explanation_view)
    raise typer.Exit(1 if explanation["first_missing"] else 0)
