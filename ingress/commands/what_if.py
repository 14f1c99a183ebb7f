"""The commands `calmo-pagerduty what-if …`."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from calmo_pagerduty.clients.requests import tool_call
from calmo_pagerduty.kernel.explained_error import ExplainedError
from ingress.commands import scenario_flags as flags
from ingress.commands.connection_paths import connection_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR, WAIT
from ingress.commands.output import echo_text, emit, print_json, print_view
from ingress.commands.query_params import query_params

if TYPE_CHECKING:
    from calmo_pagerduty.clients.rest import ApiClient

app = typer.Typer(
    no_args_is_help=True,
    help="Ask what a change of schedules or policies would do, optimise schedules, keep scenarios.",
)

Json = dict[str, Any]
NOW = typer.Option("--now", help="Ask as of this time (UTC). Default: now")
SCENARIO = typer.Argument(help="The scenario's id")
LEAVER = typer.Option(help="Someone leaves: NAME@TIME")
JOINER = typer.Option(help="Someone joins: NAME@TIME@SCHEDULE, or NAME@TIME@SCHEDULE@LAYER")
TIME_OFF = typer.Option("--time-off", help="Someone is away: NAME@START/END, or NAME@START/END@COVER")
DELAY = typer.Option(help="A level waits otherwise: POLICY@LEVEL@MINUTES")
HOLIDAY = typer.Option(help="A holiday: DATE, or DATE@SCHEDULE with a schedule that nobody staffs")
CLOCK = typer.Option("--clock-change", help="What the next clock change does")
FILE = typer.Option("--file", help="A scenario as JSON or TOML, with all kinds of changes; - is stdin")
PLANS = {"1": 0, "2": 1}


class NoDraft(ExplainedError):
    """The plan changes nothing, or there is no such plan."""


@app.command()
def ask(
    leaver: Annotated[list[str] | None, LEAVER] = None,
    joiner: Annotated[list[str] | None, JOINER] = None,
    time_off: Annotated[list[str] | None, TIME_OFF] = None,
    delay: Annotated[list[str] | None, DELAY] = None,
    holiday: Annotated[list[str] | None, HOLIDAY] = None,
    clock_change: Annotated[bool, CLOCK] = False,
    file: Annotated[Path | None, FILE] = None,
    days: Annotated[int | None, typer.Option(min=1, max=90, help="How far to look. Default: 28")] = None,
    save: Annotated[str | None, typer.Option(help="Keep the scenario under this name")] = None,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show who would be on call, and gaps, hours, nights and pages before and after a change.

    Times without an offset are in UTC, a date is its midnight.
    """
    client = client_of(data_dir)
    changes = [flags.leaver(text) for text in leaver or ()]
    changes += [flags.joiner(text) for text in joiner or ()]
    changes += [flags.time_off(text) for text in time_off or ()]
    changes += [flags.delay(text) for text in delay or ()]
    changes += [flags.holiday(text) for text in holiday or ()]
    changes += [{"type": "clock_change"}] if clock_change else []
    document = None if file is None else flags.read_document(file)
    body = {
        "scenario": flags.scenario(save, changes, days, document),
        **dict(query_params(now=now, as_of=as_of)),
    }
    if save is None:
        result = client.send("POST", _path(client, connection, "what-if"), body)
        return _show(result, as_json)
    saved = client.send("POST", _path(client, connection, "scenarios"), body)
    if not as_json:
        echo_text(f"saved as {saved['scenario']['id']}")
    return _show(saved if as_json else saved["result"], as_json)


@app.command()
def optimise(
    schedule: Annotated[str, typer.Argument(help="The schedule's id or name")],
    days: Annotated[int, typer.Option(min=1, max=90, help="Optimise shifts that begin so soon")] = 56,
    rest: Annotated[float, typer.Option(min=0, max=336, help="Least rest between shifts, hours")] = 11,
    away: Annotated[list[str] | None, typer.Option(help="Someone can't: NAME@START/END")] = None,
    max_weekends: Annotated[int | None, typer.Option(min=0, help="Most weekends for each person")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="The request as JSON or TOML: wishes, pairs, weights")
    ] = None,
    apply: Annotated[
        str | None, typer.Option(help="Ask for approval of a plan's draft: 1 or 2 (moves), or best")
    ] = None,
    wait: Annotated[float, WAIT] = 10.0,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show the best one and two moves and the best roster for a schedule. --apply files its draft."""
    client = client_of(data_dir)
    request: Json = {} if file is None else flags.read_document(file)
    absences = [flags.time_off(text) for text in away or ()]
    request |= {"schedule": schedule, "days": days, "min_rest_hours": rest}
    request |= {} if max_weekends is None else {"max_weekends": max_weekends}
    request["away"] = [
        *request.get("away", []),
        *({name: absence[name] for name in ("user", "start", "end")} for absence in absences),
    ]
    body = {"request": request, **dict(query_params(now=now, as_of=as_of))}
    result = client.send("POST", _path(client, connection, "what-if/optimise"), body)
    if apply is None:
        if as_json:
            print_json(result)
        else:
            from ingress.commands.what_if_view import print_optimisation  # noqa: PLC0415 - imports rich

            print_optimisation(result)
        return
    call = client.ask(tool_call("apply_schedule_draft", _draft(result, apply), connection, None, wait))
    if as_json:
        print_json(call)
    else:
        from ingress.commands.tool_view import call_view  # noqa: PLC0415 - imports rich

        print_view(call_view(call, []))
    raise typer.Exit({"done": 0, "waiting": 3, "running": 3}.get(call["state"], 1))


@app.command("list")
def list_scenarios(
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List saved scenarios."""
    client = client_of(data_dir)
    answer = client.get(_path(client, connection, "scenarios"))
    if as_json:
        print_json(answer)
        return
    from ingress.commands.what_if_view import print_scenarios  # noqa: PLC0415 - imports rich

    print_scenarios(answer["scenarios"])


@app.command()
def show(
    scenario: Annotated[str, SCENARIO],
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Compute a saved scenario again. Exits with 1 if the answer is no longer the same to the byte."""
    client = client_of(data_dir)
    answer = client.get(_path(client, connection, f"scenarios/{quote(scenario, safe='')}"))
    _show(answer if as_json else answer["result"], as_json)
    if not as_json:
        same = "the same as when it was saved" if answer["is_same"] else "NOT the same as when it was saved"
        echo_text(f"\n{same}: {answer['scenario']['result_sha256'][:16]}")
    raise typer.Exit(0 if answer["is_same"] else 1)


@app.command()
def compare(
    scenarios: Annotated[list[str], typer.Argument(help="Ids of saved scenarios")],
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Compare saved scenarios side by side."""
    client = client_of(data_dir)
    params = [("id", scenario) for scenario in scenarios]
    answer = client.get(_path(client, connection, "scenarios/comparison"), params)
    if as_json:
        print_json(answer)
        return
    from ingress.commands.what_if_view import print_side_by_side  # noqa: PLC0415 - imports rich

    print_side_by_side(answer["scenarios"])


@app.command()
def delete(
    scenario: Annotated[str, SCENARIO],
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Delete a saved scenario."""
    client = client_of(data_dir)
    path = _path(client, connection, f"scenarios/{quote(scenario, safe='')}")
    deleted = client.send("DELETE", path)
    emit(deleted, as_json, lambda scenario: f"deleted {scenario['id']}")


def _show(result: Json, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    from ingress.commands.what_if_view import print_comparison  # noqa: PLC0415 - imports rich

    print_comparison(result)


def _draft(result: Json, plan: str) -> Json:
    """Return the arguments of the tool that applies the plan's draft. Raises NoDraft."""
    if plan not in (*PLANS, "best"):
        raise NoDraft("--apply: 1 for one move, 2 for two, or best")
    chosen = result["best"] if plan == "best" else result["swaps"][PLANS[plan]]
    draft: Json | None = chosen.get("draft")
    if draft is None:
        raise NoDraft("this plan changes nothing: the present roster is as good, or no roster is possible")
    return draft


def _path(client: "ApiClient", connection: str | None, name: str) -> str:
    return f"{connection_path(client, connection)}/{name}"
