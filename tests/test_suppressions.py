"""Whatever silences a checker, or catches all exceptions, says why: on its line or on the line above."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "activities",
    "bench",
    "bootstrap",
    "calmo_pagerduty",
    "ingress",
    "pagerduty_simulator",
    "tests",
    "workflows",
)
SILENCED = re.compile(
    r"#\s*(?:noqa|type:\s*ignore|ruff:\s*noqa|nosec|pragma:\s*no cover)\b(?::[ A-Z0-9,]+)?(?:\[[^\]]*\])?"
)
BROAD = {"Exception", "BaseException"}


def unexplained(source: str) -> Iterator[int]:
    """Yield the lines that silence a checker or catch everything, and don't say why."""
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines = source.splitlines()

    def explained(number: int) -> bool:
        above = lines[number - 2].strip() if number > 1 else ""
        return _says(comments.get(number, "")) or (above.startswith("#") and _says(above))

    for number, comment in comments.items():
        if SILENCED.match(comment) and not explained(number):
            yield number
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not explained(node.lineno):
            yield node.lineno


def _says(comment: str) -> bool:
    """Whether there are words in the comment beside what is meant for a checker."""
    return len(re.findall(r"[A-Za-z']+", SILENCED.sub("", comment))) > 1


def _is_broad(caught: ast.expr | None) -> bool:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(part is None or ast.unparse(part).rpartition(".")[2] in BROAD for part in parts)


def test_each_has_its_reason_beside_it() -> None:
    files = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    assert len(files) > 1000
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        if path.name != Path(__file__).name
        if re.search(r"noqa|ignore|nosec|pragma|except", source := path.read_text("utf-8"))
        for number in unexplained(source)
    ]
    assert not found, "\n".join(["say why, on the line or above it:", *found])


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = f()  # noqa: S311\n", [1]),
        ("x = f()  # noqa: S311 - a test repeats it\n", []),
        ("# A test repeats it.\nx = f()  # noqa: S311\n", []),
        ("x = f()  # type: ignore[misc]\n", [1]),
        ("x = f()  # type: ignore[misc]  # mypy infers none\n", []),
        ("x = '# noqa'\n", []),
        ("try:\n    f()\nexcept Exception:\n    g()\n", [3]),
        ("try:\n    f()\nexcept (OSError, builtins.BaseException):\n    g()\n", [3]),
        ("try:\n    f()\nexcept:\n    g()\n", [3]),
        ("try:\n    f()\n# Its caller hears of it.\nexcept Exception:\n    g()\n", []),
        ("try:\n    f()\nexcept OSError:\n    g()\n", []),
    ],
)
def test_what_needs_a_reason(source: str, lines: list[int]) -> None:
    assert list(unexplained(source)) == lines
