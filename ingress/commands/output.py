"""Write a command's answer to standard output: JSON for programs, or a text for people."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
#: Width for a pipe or a file, so that ids and addresses are not broken.
PIPE_WIDTH = 250


def emit(answer: T, as_json: bool, view: "Callable[[T], RenderableType]") -> None:
    """Write the answer as a line of JSON, or as `view` shows it. A text is written unchanged."""
    if as_json:
        typer.echo(json.dumps(answer))
        return
    rendered = view(answer)
    if isinstance(rendered, str):
        typer.echo(rendered, nl=rendered != "")
    else:
        print_view(rendered)


def print_view(view: "RenderableType") -> None:
    """Write to standard output in the terminal's width."""
    # rich is slow to import, and a command that prints JSON does not need it.
    from rich.console import Console  # noqa: PLC0415 - imports rich

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(view)
