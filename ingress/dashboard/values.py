"""JSON values for a person: an outline of names and texts, so that nested arguments are read easily."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

#: More lines than these are cut; the rest is told of.
MAX_LINES = 400


class Line(NamedTuple):
    """A line of an outline. `depth` counts from 0; `text` is None for a name with lines below it."""

    depth: int
    name: str
    text: str | None


def outline(value: Mapping[str, Any] | None) -> Sequence[Line]:
    """Return a value's lines in the order of its fields. Fields that are null are left out."""
    lines: list[Line] = []
    for line in _lines("", value or {}, 0):
        if len(lines) == MAX_LINES:
            lines.append(Line(0, "…", "more than is shown here"))
            break
        lines.append(line)
    return lines


def _lines(name: str, value: Any, depth: int) -> Iterator[Line]:
    if isinstance(value, Mapping):
        if name:
            yield Line(depth, name, None)
        for key, part in value.items():
            yield from _lines(str(key), part, depth + bool(name))
    elif isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value):
        yield Line(depth, name, None)
        for number, part in enumerate(value, 1):
            yield from _lines(str(number), part, depth + 1)
    elif value is not None:
        yield Line(depth, name, _text(value))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value) or "none"
    return str(value)
