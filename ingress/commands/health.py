"""The commands `calmo-pagerduty health …` for containers' health checks. They exit with 1 on a failure."""

import typer

from calmo_pagerduty.command_settings import load_command_settings
from calmo_pagerduty.heartbeats import list_heartbeats
from calmo_pagerduty.kernel.explained_error import ExplainedError
from ingress.commands.output import echo_text

app = typer.Typer(no_args_is_help=True, help="Check the health of a process.")


class NotWell(ExplainedError):
    """A process does not do its work. The message says why."""


@app.command()
def ingress() -> None:
    """Check that the ingress on this machine reaches the database and Temporal."""
    from calmo_pagerduty.http_client import Client, HTTPError  # noqa: PLC0415 - imports httpx

    port = load_command_settings().http_port
    try:
        with Client(timeout=4.0, trust_env=False) as http:
            answer = http.get(f"http://127.0.0.1:{port}/readyz")
    except HTTPError as error:
        raise NotWell(f"the ingress does not answer on port {port}: {error}") from None
    echo_text(answer.text)
    if answer.status_code != 200:
        raise NotWell(f"the ingress answered {answer.status_code}")


@app.command()
def worker() -> None:
    """Check that the workers of this machine work. Without any, check that one polls our task queue."""
    # A worker that hangs is seen beside others that work, and Temporal's state decides nothing.
    heartbeats = list_heartbeats(load_command_settings().heartbeat_folder, "worker")
    hung = [f"{beat.pid} for {beat.age:.0f} s" for beat in heartbeats if beat.is_hung]
    if hung:
        raise NotWell(f"hanging workers, by process id: {', '.join(hung)}")
    if heartbeats:
        pids = ", ".join(str(beat.pid) for beat in heartbeats)
        echo_text(f"working, by process id: {pids}")
        return
    # Temporal's client takes a second to import, and the check of the ingress does not need it.
    from ingress.commands.worker_pollers import TemporalSilent, list_pollers  # noqa: PLC0415 - imports Temporal

    try:
        pollers = list_pollers()
    except TemporalSilent as error:
        raise NotWell(f"Temporal does not answer: {error}") from None
    if not pollers:
        raise NotWell("no worker has polled Temporal lately")
    echo_text(f"{len(pollers)} workers: {', '.join(pollers)}")
