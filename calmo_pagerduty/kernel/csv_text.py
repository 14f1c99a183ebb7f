"""Writes CSV that no spreadsheet takes for formulas. Pure.

Source: OWASP, "CSV injection": a cell that begins with = + - @, a tab or a line break gets an apostrophe.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from calmo_pagerduty.kernel.markdown_text import single_line

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
MAX_CELL = 1000


def csv_cell(text: str) -> str:
    """Return a text in one line, prefixed if a spreadsheet would take it for a formula."""
    line = single_line(text, MAX_CELL)
    return f"'{line}" if text.startswith(_FORMULA_STARTS) or line.startswith(_FORMULA_STARTS) else line


def csv_document(columns: Sequence[str], rows: Iterable[Sequence[str | int | float | None]]) -> str:
    """Return a CSV document with a header (RFC 4180). Numbers stay numbers; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([csv_cell(column) for column in columns])
    for row in rows:
        writer.writerow([csv_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()
