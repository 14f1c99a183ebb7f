"""Show performance in a terminal. Nothing is said by colour alone."""

from typing import Any

from rich.text import Text

from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.performance.texts import TABLES
from ingress.commands.console import new_console
from ingress.commands.output import PIPE_WIDTH
from ingress.commands.tool_view import cell_text, empty_table


def print_performance(result: dict[str, Any]) -> None:
    console, metrics = new_console(highlight=False), result["metrics"]
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    words = f"Incidents created from {metrics['since']} to {metrics['until']}, known until"
    console.print(Text(f"{words} {metrics['known_until']}", style="dim"))
    if metrics["problem"]:
        console.print(Text(f"! {single_line(metrics['problem'], 300)}", style="yellow"))
    for title, columns in TABLES.values():
        table = empty_table(*(heading for heading, _ in columns))
        for row in metrics["groups"]:
            table.add_row(*(cell_text(text(row)) for _, text in columns))
        console.print(Text(title, style="bold"))
        console.print(table if table.row_count else "There is nothing here.")
    for definition in metrics["definitions"]:
        console.print(Text(f"{definition['word']}: {definition['meaning']}", style="dim"))
