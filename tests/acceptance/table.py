"""The table of `docs/reliability.md`: which tests prove which acceptance check."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@dataclass(frozen=True, slots=True)
class NamedTest:
    """A test by its file and its function."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path}::{self.name}"


@dataclass(frozen=True, slots=True)
class Check:
    """A row: the tests of `make test`, those of `make torture`, and the figure that was last measured."""

    number: str
    short: tuple[NamedTest, ...]
    long: tuple[NamedTest, ...]
    figure: str


def read_checks() -> tuple[Check, ...]:
    rows = [line.split("|")[1:-1] for line in PAGE.read_text("utf-8").splitlines()]
    return tuple(
        Check(number.strip(), _tests(short), _tests(long), figure.strip())
        for number, _what, _bound, short, long, figure in (row for row in rows if len(row) == 6)
        if number.strip().isdigit()
    )


def _tests(cell: str) -> tuple[NamedTest, ...]:
    return tuple(NamedTest(path, name) for path, name in _TEST.findall(cell))
