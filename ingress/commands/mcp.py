"""calmo-pagerduty mcp: the tools for an AI agent on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from calmo_pagerduty.tools.classes import Category
from ingress.commands.instances import api_address
from ingress.commands.options import DATA_DIR


def mcp(
    connection: Annotated[
        str | None, typer.Option(help="The connection; needn't be said if there is only one")
    ] = None,
    category: Annotated[
        list[Category] | None, typer.Option(help="Only tools of this category; may be repeated")
    ] = None,
    data_dir: Annotated[Path | None, DATA_DIR] = None,
) -> None:
    """Serve MCP on standard input and output, with the rights of the API key."""
    url, api_key = api_address(data_dir)
    # The SDK takes a second to import, which nobody should wait for who is only told that there is no key.
    from ingress.mcp.stdio import run_stdio  # noqa: PLC0415 - slow

    run_stdio(url, api_key, connection, category or [])
