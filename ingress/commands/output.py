"""What a command writes to standard output: JSON for programs, else what a person reads."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
#: A pipe or a file has room for ids and addresses in one piece.
PIPE_WIDTH = 250


def emit(answer: T, as_json: bool, view: "Callable[[T], RenderableType]") -> None:
    """Write the answer as one line of JSON, or as `view` shows it; text is written as it stands."""
    if as_json:
        typer.echo(json.dumps(answer))
        return
    shown = view(answer)
    if isinstance(shown, str):
        typer.echo(shown, nl=shown != "")
    else:
        print_view(shown)


def print_view(view: "RenderableType") -> None:
    """Write to standard output, as wide as the terminal is."""
    # rich takes a while to import, which a command that answers in JSON should not wait for.
    from rich.console import Console  # noqa: PLC0415 - slow

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(view)
