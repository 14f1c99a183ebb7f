"""The commands `calmo-pagerduty up`, `worker` and `ingress`, which run the service's processes.

The processes' modules take seconds to import, so each command imports them inside its function.
"""

from pathlib import Path
from typing import Annotated

import typer

from ingress.commands.options import DATA_DIR
from ingress.roles import Role


def up(
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", readable=False, help="The folder for all data. Default: ./.calmo"),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port of the REST API; it takes webhooks too")
    ] = 8080,
    webhook_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port of the door, which takes webhooks only")
    ] = 8081,
    temporal_port: Annotated[int, typer.Option(min=1, max=65535)] = 7233,
    ui_port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the Temporal UI")] = 8233,
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Play a day at a simulated PagerDuty")
    ] = True,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="The speed factor of the demo")] = 1.0,
) -> None:
    """Run Temporal, the worker and the ingress on this machine, until Ctrl-C."""
    from ingress.commands.up import run_everything  # noqa: PLC0415 - imports all of the service

    run_everything(data_dir, port, webhook_port, temporal_port, ui_port, demo, speed)


def worker(data_dir: Annotated[Path | None, DATA_DIR] = None) -> None:
    """Run a Temporal worker. The environment variables TEMPORAL_… configure the connection."""
    from calmo_pagerduty.processes import loading  # noqa: PLC0415 - imports asyncio

    with loading():
        import worker as program  # noqa: PLC0415 - imports Temporal
        from calmo_pagerduty.settings import load_settings  # noqa: PLC0415 - imports pydantic

    program.main(load_settings(data_dir=data_dir))


def ingress(
    data_dir: Annotated[Path | None, DATA_DIR] = None,
    host: Annotated[str | None, typer.Option(help="Default: CALMO_HTTP_HOST, else 127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: CALMO_HTTP_PORT, else 8080")
    ] = None,
    role: Annotated[
        Role,
        typer.Option(help="door: webhooks only; api: REST, MCP and streams; forwarder: the work behind them"),
    ] = Role.ALL,
) -> None:
    """Run the webhook receiver, the REST API and the forwarder, or one of them with --role."""
    from calmo_pagerduty.processes import loading  # noqa: PLC0415 - imports asyncio

    with loading():
        from calmo_pagerduty.settings import load_settings  # noqa: PLC0415 - imports pydantic
        from ingress.server import main  # noqa: PLC0415 - imports the door

    main(load_settings(data_dir=data_dir, http_host=host, http_port=port), role)
