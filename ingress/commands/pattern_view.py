"""Show patterns in a terminal. Nothing is said by colour alone."""

from typing import Any

from rich.text import Text

from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.patterns.story_document import STORY_COLUMNS
from calmo_pagerduty.patterns.texts import PARTS
from ingress.commands.console import new_console
from ingress.commands.output import PIPE_WIDTH
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]


def print_patterns(result: Json) -> None:
    console, metrics = new_console(highlight=False), result["metrics"]
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    counts = f"{count_text(metrics['incidents'], 'incident')}, {count_text(metrics['pages'], 'page')}"
    console.print(Text(f"{counts} from {metrics['since']} to {metrics['until']}", style="dim"))
    if metrics["problem"]:
        console.print(Text(f"! {single_line(metrics['problem'], 200)}", style="yellow"))
    for name, (caption, columns, empty) in PARTS.items():
        if name not in metrics:
            continue
        table = empty_table(*(heading for heading, _ in columns))
        for row in metrics[name]:
            table.add_row(*(cell_text(text(row)) for _, text in columns))
        console.print(Text(caption, style="bold"))
        console.print(table if table.row_count else empty)
    for definition in metrics["definitions"]:
        console.print(Text(f"{definition['word']}: {definition['meaning']}", style="dim"))


def print_stories(result: Json) -> None:
    console = new_console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    table = empty_table(*(heading for heading, _ in STORY_COLUMNS))
    for row in result["stories"]:
        table.add_row(*(cell_text(text(row)) for _, text in STORY_COLUMNS))
    console.print(table if table.row_count else "No incidents of several teams belong together.")
    if result["unread"]:
        names = single_line(", ".join(result["unread"]), 200)
        console.print(Text(f"! Not analysed yet: {names}", style="yellow"))
