"""A table of a page, which can also be downloaded as CSV (RFC 4180) and as Markdown."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Generic, TypeVar

R = TypeVar("R")

#: A spreadsheet would compute a text that begins with one of these.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """A column: its heading, and a row's text. `cell` names a macro of `cells.html` that draws the cell."""

    heading: str
    text: Callable[[R], str]
    _: KW_ONLY
    cell: str | None = None
    #: Figures stand at the right, in digits of one width.
    is_figure: bool = False
    #: Hidden on a narrow page.
    is_wide_only: bool = False


@dataclass(frozen=True)
class Table(Generic[R]):
    """Rows under columns. `caption` says what the table holds; it is read aloud, and names the download."""

    caption: str
    columns: Sequence[Column[R]]
    rows: Sequence[R]
    _: KW_ONLY
    #: What an empty table says, and what to do then.
    empty: str = "There is nothing here."
    #: Rows of a live page: a row's element is `KIND-KEY`, and is fetched again from `KINDs/KEY/row`.
    kind: str | None = None
    key: Callable[[R], str] | None = None

    def row_key(self, row: R) -> str | None:
        return None if self.key is None else self.key(row)

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([column.heading for column in self.columns])
        writer.writerows([_harmless(column.text(row)) for column in self.columns] for row in self.rows)
        return out.getvalue()

    def markdown(self) -> str:
        lines = [[column.heading for column in self.columns]]
        lines.append(["--:" if column.is_figure else "---" for column in self.columns])
        lines += [[_one_line(column.text(row)) for column in self.columns] for row in self.rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
