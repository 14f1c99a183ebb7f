"""Options that several commands share."""

import typer

DATA_DIR = typer.Option(
    # Our own messages about a folder that can't be used say more, in one line.
    "--data-dir",
    readable=False,
    help="The data folder of the service. Default: the one that runs, else ./.calmo",
)
