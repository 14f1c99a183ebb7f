"""Options that several commands share."""

import typer

DATA_DIR = typer.Option(
    "--data-dir", help="The data folder of the service. Default: the one that runs, else ./.calmo"
)
