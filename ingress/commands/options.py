"""Options that several commands share."""

import typer

DATA_DIR = typer.Option(
    # Our own messages about a folder that can't be used say more, in one line.
    "--data-dir",
    readable=False,
    help="The data folder of the service. Default: the one that runs, else ./.calmo",
)
AS_JSON = typer.Option("--json", help="Answer in JSON.")
#: Of a tool or an action: as words, or together where nobody reads over one's shoulder.
ARGUMENTS = typer.Argument(help="NAME=VALUE …; a list's values are separated by commas")
ARGUMENTS_STDIN = typer.Option("--arguments-stdin", help="Read the arguments from standard input, as JSON.")
WAIT = typer.Option(min=0, max=60, help="Seconds before a ticket is given")
