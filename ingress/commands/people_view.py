"""Show people in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ingress.commands.tool_view import cell_text, empty_table


def people_table(people: Sequence[dict[str, Any]]) -> Table:
    table = empty_table("subject", "person", "role", "scopes", "role from", "signed in")
    for person in people:
        role = Text("kept out", "red") if person["kept_out"] else cell_text(person["role"])
        table.add_row(
            cell_text(person["subject"]),
            cell_text(person["person"]),
            role,
            Text("everything") if person["scopes"] is None else cell_text(person["scopes"]),
            cell_text(person["role_from"]),
            cell_text(person["signed_in_at"]),
        )
    return table
