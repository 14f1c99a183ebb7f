"""The only way out of a command: what it writes holds no control characters, whoever wrote the text.

Answers go to standard output, as JSON for programs or as a text for people; news goes to standard error.
"""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
#: Width for a pipe or a file, so that ids and addresses are not broken.
PIPE_WIDTH = 250


def emit(answer: T, as_json: bool, view: "Callable[[T], RenderableType]") -> None:
    """Write the answer as a line of JSON, or as `view` shows it. A text is written unchanged."""
    if as_json:
        print_json(answer)
        return
    rendered = view(answer)
    if isinstance(rendered, str):
        echo_text(rendered, nl=rendered != "")
    else:
        print_view(rendered)


def print_json(answer: Any) -> None:
    """Write the answer to standard output as a line of JSON, which escapes what is not ASCII."""
    typer.echo(json.dumps(answer))


def echo_text(text: str, nl: bool = True) -> None:
    """Write a text to standard output, without control characters that it may have from outside."""
    typer.echo(sanitize_text(text, len(text)), nl=nl)


def tell(text: str, *, over: bool = False) -> None:
    """Write a line of news to standard error, without control characters; `over` the line before it."""
    shown = sanitize_text(text, len(text))
    typer.echo(f"\r{shown}" if over else shown, err=True, nl=not over)


def print_view(view: "RenderableType") -> None:
    """Write to standard output in the terminal's width."""
    # rich is slow to import, and a command that prints JSON does not need it.
    from ingress.commands.console import new_console  # noqa: PLC0415 - imports rich

    console = new_console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(view)
