"""The commands `calmo-pagerduty escalation …`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ingress.commands.drills import add_drill_commands, escalation_path
from ingress.commands.instances import client_of
from ingress.commands.options import AS_JSON, AS_OF, CONNECTION, DATA_DIR
from ingress.commands.output import echo_text, print_json
from ingress.commands.query_params import query_params

app = typer.Typer(
    no_args_is_help=True, help="Simulate incidents, lint escalation policies, see answers, hold drills."
)
add_drill_commands(app)

Json = dict[str, Any]
NOW = typer.Option("--now", help="The time of the analysis (UTC). Default: now")
SERVICE = typer.Argument(help="The service's id or name")
POLICY = typer.Option(help="Only this escalation policy, by id")
#: The exit code if something would keep a page from reaching somebody.
EXIT_FOUND = 1
#: Outcomes of a simulation in which nobody is paged.
NOBODY_PAGED = frozenset({"dropped", "disabled", "maintenance", "no_policy"})
GRAVE = frozenset({"critical", "high"})


@app.command()
def simulate(
    service: Annotated[str, SERVICE],
    at: Annotated[datetime | None, typer.Option(help="When the incident begins (UTC). Default: now")] = None,
    urgency: Annotated[
        str | None, typer.Option(help="high or low. Default: as the service's rule says")
    ] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show whom PagerDuty would page, on what, after how long. Exits with 1 if nobody."""
    client = client_of(data_dir)
    lanes = None if as_json else "true"
    params = query_params(at=at, as_of=as_of, service=service, urgency=urgency, lanes=lanes)
    report = client.get(escalation_path(client, connection, "simulation"), params)
    if as_json:
        print_json(report)
    else:
        from ingress.commands.escalation_view import print_simulation  # noqa: PLC0415 - imports rich

        print_simulation(report)
    raise typer.Exit(EXIT_FOUND if report["outcome"] in NOBODY_PAGED else 0)


@app.command()
def lint(
    days: Annotated[int, typer.Option(min=1, max=90, help="How many days to look ahead")] = 30,
    policy: Annotated[str | None, POLICY] = None,
    form: Annotated[str, typer.Option("--format", help="text, md, csv or html")] = "text",
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """List what would keep a page from reaching somebody. Exits with 1 for a grave finding."""
    client = client_of(data_dir)
    path = escalation_path(client, connection, "lint")
    params = query_params(now=now, as_of=as_of, days=str(days))
    if form in {"md", "csv", "html"}:
        echo_text(client.text(path, [*params, ("format", form)]), nl=False)
        return
    result = client.get(path, [*params, ("ladders", "true")])
    if as_json:
        print_json(result)
    else:
        from ingress.commands.escalation_view import print_lint  # noqa: PLC0415 - imports rich

        print_lint(result, policy)
    found = any(finding["severity"] in GRAVE for finding in result["findings"])
    raise typer.Exit(EXIT_FOUND if found else 0)


@app.command()
def response(
    policy: Annotated[str | None, POLICY] = None,
    now: Annotated[datetime | None, NOW] = None,
    as_of: Annotated[datetime | None, AS_OF] = None,
    connection: Annotated[str | None, CONNECTION] = None,
    as_json: Annotated[bool, AS_JSON] = False,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Show how incidents are answered: curves per level, expected times, advice, and where the time goes."""
    client = client_of(data_dir)
    params = query_params(now=now, as_of=as_of, policy=policy)
    result = client.get(escalation_path(client, connection, "response"), params)
    if as_json:
        print_json(result)
        return
    from ingress.commands.escalation_view import print_response  # noqa: PLC0415 - imports rich

    print_response(result)
