"""The command `calmo-pagerduty mcp`."""

from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.tools.classes import Category
from ingress.commands.instances import api_address
from ingress.commands.options import DATA_DIR


def mcp(
    connection: Annotated[
        str | None, typer.Option(help="The connection. Default: the only connection")
    ] = None,
    category: Annotated[
        list[Category] | None, typer.Option(help="Only tools of this category; may be repeated")
    ] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Serve MCP on standard input and output, with the rights of the API key."""
    url, api_key = api_address(data_dir)
    # The SDK takes a second to import, and the error of a missing key should come at once.
    from ingress.mcp.stdio import run_stdio  # noqa: PLC0415 - imports the MCP SDK

    run_stdio(url, api_key, connection, category or [])
