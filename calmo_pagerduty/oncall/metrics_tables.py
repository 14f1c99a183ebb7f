"""Figures of analyses as tables. A figure that is unknown is shown as unknown, never as zero. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.json_values import JsonObject

UNKNOWN = "unknown"
#: A report shows so many rows and columns; the analysis' own report has all.
MAX_ROWS, MAX_COLUMNS = 25, 8


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts. `omitted` is the number of rows that are not shown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    omitted: int = 0


def tables_of(metrics: JsonObject, names: Mapping[str, str]) -> tuple[Table, ...]:
    """Return the metrics as tables: single figures first, then a table for each list of objects.

    `names` gives names for PagerDuty's ids.
    """
    single = [(_label(name), _text(value, names)) for name, value in metrics.items() if _is_plain(value)]
    tables = [Table("Figures", ("figure", "value"), tuple(single))] if single else []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            rows = tuple((_label(key), _text(part, names)) for key, part in value.items() if _is_plain(part))
            tables += [Table(_label(name), ("figure", "value"), rows)] if rows else []
        elif objects := _objects(value):
            tables.append(_table(_label(name), objects, names))
    return tuple(tables)


def _table(title: str, objects: Sequence[Mapping[str, object]], names: Mapping[str, str]) -> Table:
    plain = [
        name
        for name in dict.fromkeys(key for item in objects for key in item)
        if all(_is_plain(item.get(name)) for item in objects)
    ]
    # Stored figures stand in the order of their names: what a row is about comes first.
    columns = sorted(plain, key=lambda name: not (name in {"id", "name", "title"} or name.endswith("_id")))
    columns = columns[:MAX_COLUMNS]
    rows = tuple(tuple(_text(item.get(name), names) for name in columns) for item in objects[:MAX_ROWS])
    return Table(title, tuple(map(_label, columns)), rows, max(len(objects) - MAX_ROWS, 0))


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        return ()
    return value


def _is_plain(value: object) -> bool:
    """Tell whether a value fits into a cell: a number, a text, an unknown, or an interval of two numbers."""
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(isinstance(end, int | float) for end in value)
    return value is None or isinstance(value, str | int | float)


def _text(value: object, names: Mapping[str, str]) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " to ".join(_text(end, names) for end in value)
    text = str(value)
    return names.get(text, text)


def _label(name: str) -> str:
    return name.removesuffix("_id").replace("_", " ")
