"""Show a gathering's progress on standard error: a line per source, and a progress bar."""

import sys
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from calmo_pagerduty.clients.requests import ApiProblem
from calmo_pagerduty.clients.rest import ApiClient
from calmo_pagerduty.contexts.rendering.wording import STATE_TEXT
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from ingress.commands.console import new_console

Json = dict[str, Any]


def follow(client: ApiClient, stream: str, version: int) -> Json:
    """Show the progress until the version ends, and return its last event. Raises ApiProblem."""
    console = new_console(sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"gathering version {version}", total=len(Source))
        for event in client.follow(stream):
            if event.name == "source":
                progress.console.print(source_line(event.data), soft_wrap=True)
                progress.update(task, completed=event.data["done"], total=event.data["of"])
            elif event.name in {"complete", "late", "stalled"}:
                return event.data
    raise ApiProblem("the stream of progress ended early; try again")


def source_line(source: Json) -> Text:
    """Return a line about a finished source: its count and its duration, or what is missing."""
    state, seconds = source["state"], f"{source['seconds']:.1f} s"
    if state == SourceState.COMPLETE:
        return Text.assemble(("✓ ", "green"), source["title"], (f"  {source['count']}, {seconds}", "dim"))
    if state == SourceState.NOT_APPLICABLE:
        return Text.assemble(("– ", "dim"), source["title"], ("  there is nothing to ask about", "dim"))
    problem = ": ".join(filter(None, [STATE_TEXT.get(state, state), sanitize_text(source["reason"], 200)]))
    return Text.assemble(("✗ ", "yellow"), source["title"], (f"  {problem}", "yellow"))
