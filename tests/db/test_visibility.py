"""A scope is compared with its caller's in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility

LIBRARY = Path(__file__).parents[2] / "calmo_pagerduty"

#: Where a scope's column stands elsewhere than in `visible_to` or among a query's columns, and why.
OTHER_USES = {
    ("incidents/queries.py", "_filter_conditions"): "the caller's own filter, beside visible_to",
    ("retention/erasure_targets_store.py", "list_connections"): "an operator erases a whole tenant",
    ("webhooks/store.py", "list_live_connections"): "a new webhook looks for the connections of its owner",
}
#: Where a visibility's scopes are read elsewhere than in `visible_to`, and why.
READERS_OF_SCOPES = {
    ("access/store.py", "is_within"): "a key has several scopes: its caller must see them all",
    ("db/statements.py", "restrict_visibility"): "PostgreSQL's row-level security, below visible_to",
}


OWNERS = ("personal:ada", "personal:bob", "organization:calmo")


@pytest.mark.parametrize(
    ("visibility", "seen"),
    [
        (Visibility(), ()),
        (Visibility((Scope.parse("personal:ada"),)), ("personal:ada",)),
        (Visibility((Scope.parse("personal:calmo"),)), ()),
        (Visibility(tuple(map(Scope.parse, OWNERS[1:]))), OWNERS[1:]),
        (EVERYTHING, OWNERS),
    ],
)
def test_a_caller_sees_the_rows_of_its_scopes_alone(visibility: Visibility, seen: tuple[str, ...]) -> None:
    rows = sa.Table("rows", sa.MetaData(), sa.Column("scope", sa.String))
    with sa.create_engine("sqlite://").connect() as connection:
        rows.create(connection)
        connection.execute(rows.insert(), [{"scope": owner} for owner in OWNERS])
        found = connection.execute(sa.select(rows.c.scope).where(visible_to(rows.c.scope, visibility)))
        assert sorted(found.scalars()) == sorted(seen)


def test_no_other_place_compares_a_scope_with_its_callers() -> None:
    uses = {
        (str(path.relative_to(LIBRARY)), function)
        for path in _sources()
        for function, parents in _attributes(path, "scope")
        if _is_column(parents[-1]) and not _is_passed_to(parents, {"visible_to", "select"})
    }
    assert uses == set(OTHER_USES)


def test_no_other_place_reads_a_visibilitys_scopes() -> None:
    reads = {
        (str(path.relative_to(LIBRARY)), function)
        for path in _sources()
        for function, parents in _attributes(path, "scopes")
        if _owner_of(parents[-1]) in {"visibility", "seen_by"}
    }
    assert reads == set(READERS_OF_SCOPES)


def _sources() -> list[Path]:
    """Return the modules that speak SQL (tests/test_imports.py): by their names, and the whole of db/."""
    return [
        path
        for path in sorted(LIBRARY.rglob("*.py"))
        if path.stem.split("_")[-1] in {"store", "queries", "rows"}
        or (path.is_relative_to(LIBRARY / "db") and path.name != "visibility.py")
    ]


def _attributes(path: Path, name: str) -> Iterator[tuple[str, list[ast.AST]]]:
    """Yield each use of an attribute: the function it stands in, and what encloses it, itself last."""

    def walk(node: ast.AST, function: str, parents: list[ast.AST]) -> Iterator[tuple[str, list[ast.AST]]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        parents = [*parents, node]
        if isinstance(node, ast.Attribute) and node.attr == name:
            yield function, parents
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function, parents)

    yield from walk(ast.parse(path.read_text()), "<module>", [])


def _is_column(use: ast.AST) -> bool:
    return isinstance(use, ast.Attribute) and isinstance(use.value, ast.Attribute) and use.value.attr == "c"


def _is_passed_to(parents: list[ast.AST], functions: set[str]) -> bool:
    call = parents[-2]
    if not isinstance(call, ast.Call):
        return False
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return called in functions


def _owner_of(use: ast.AST) -> str | None:
    return use.value.id if isinstance(use, ast.Attribute) and isinstance(use.value, ast.Name) else None
