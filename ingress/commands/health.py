"""calmo-pagerduty health …: what a container's health check asks. Ends with 1 if it is not well."""

import typer

from calmo_pagerduty.command_settings import load_command_settings
from calmo_pagerduty.kernel.explained_error import ExplainedError

app = typer.Typer(no_args_is_help=True, help="Is a part well? For health checks.")


class NotWell(ExplainedError):
    """A part does not do its work; the message says what was seen."""


@app.command()
def ingress() -> None:
    """Ask the ingress on this machine whether database and Temporal are there."""
    from calmo_pagerduty.http_client import Client, HTTPError  # noqa: PLC0415 - slow

    port = load_command_settings().http_port
    try:
        with Client(timeout=4.0, trust_env=False) as http:
            answer = http.get(f"http://127.0.0.1:{port}/readyz")
    except HTTPError as error:
        raise NotWell(f"the ingress does not answer on port {port}: {error}") from None
    typer.echo(answer.text)
    if answer.status_code != 200:
        raise NotWell(f"the ingress answered {answer.status_code}")


@app.command()
def worker() -> None:
    """Ask Temporal whether a worker listens to our task queue."""
    # Temporal's client takes a second to import, which the check of the ingress should not wait for.
    from ingress.commands.worker_pollers import TemporalSilent, list_pollers  # noqa: PLC0415 - slow

    try:
        pollers = list_pollers()
    except TemporalSilent as silent:
        raise NotWell(f"Temporal does not answer: {silent}") from None
    if not pollers:
        raise NotWell("no worker has asked Temporal for work lately")
    typer.echo(f"{len(pollers)} workers: {', '.join(pollers)}")
