"""calmo-pagerduty worker, calmo-pagerduty ingress: the parts alone, against any Temporal and database."""

from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty import logs
from calmo_pagerduty.processes import check_port
from calmo_pagerduty.settings import load_settings
from ingress.commands.options import DATA_DIR


def worker(data_dir: Annotated[Path | None, DATA_DIR] = None) -> None:
    """Run a Temporal worker. Temporal's address comes from TEMPORAL_ADDRESS and its like."""
    # The parts themselves are imported by those who run them: no other command waits for that.
    import worker as program  # noqa: PLC0415 - slow

    program.main(load_settings(data_dir=data_dir))


def ingress(
    data_dir: Annotated[Path | None, DATA_DIR] = None,
    host: Annotated[str | None, typer.Option(help="Default: CALMO_HTTP_HOST, else 127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: CALMO_HTTP_PORT, else 8080")
    ] = None,
) -> None:
    """Run the webhook door, the REST API and the forwarder."""
    from ingress.server import run_ingress  # noqa: PLC0415 - slow

    settings = load_settings(data_dir=data_dir, http_host=host, http_port=port)
    logs.configure(settings.log_level, settings.log_format)
    check_port(settings.http_host, settings.http_port, "--port")
    run_ingress(settings)
