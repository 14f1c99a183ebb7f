"""Options that several commands share."""

import typer

DATA_DIR = typer.Option(
    # Without typer's own check: our messages about an unusable folder say more.
    "--data-dir",
    readable=False,
    help="The data folder of the service. Default: that of the running service, else ./.calmo",
)
AS_JSON = typer.Option("--json", help="Print the answer as JSON.")
#: Arguments of a tool or an action, as NAME=VALUE or on standard input, where other users can't see them.
ARGUMENTS = typer.Argument(help="NAME=VALUE …; a list's values are separated by commas")
ARGUMENTS_STDIN = typer.Option("--arguments-stdin", help="Read the arguments from standard input, as JSON.")
WAIT = typer.Option(min=0, max=60, help="Seconds before a ticket is given")
#: For commands about a connection's account; `connection_paths.connection_path` finds the only one.
CONNECTION = typer.Option("--connection", help="The connection's id. Default: the only one that there is")
#: For commands about stored snapshots.
AS_OF = typer.Option(help="Use the newest snapshot of this time (UTC) or before. Default: the newest")
