"""What a module's name promises of its imports: rules are pure, SQL stands in stores, HTTP in one module.

The layers between the packages are import contracts in pyproject.toml. These rules are about file names,
which those contracts can't express.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "calmo_pagerduty"

#: Packages and modules of the library that speak to the world.
IO_PACKAGES = ("clients", "db", "temporal")
IO_MODULES = ("command_settings", "heartbeats", "http_client", "logs", "processes", "settings")
#: What a module is called that does I/O in a feature; every other module of a feature is pure.
IO_NAMES = ("store", "queries", "rows", "service", "client", "transport", "throttle", "observer")
#: These do I/O, or build on what does.
IO_FILES = {
    "contexts/account": "reads and caches an account",
    "contexts/gathering": "gathers from PagerDuty and the database",
}
IMPURE = {
    "alembic", "asyncio", "httpx", "os", "random", "secrets", "socket", "sqlalchemy", "starlette",
    "subprocess", "temporalio", "threading", "time", "uuid",
}  # fmt: skip
PRODUCT = ("activities", "bootstrap", "calmo_pagerduty", "ingress", "workflows")


def test_what_is_not_named_for_its_io_is_pure() -> None:
    wrong = {
        f"{path.relative_to(LIBRARY)} imports {name}"
        for path in _library_modules()
        if not _does_io(path)
        for name in _imports(path)
        if name.split(".")[0] in IMPURE or _is_io_module(name)
    }
    assert wrong == set()


def test_sql_stands_in_stores_and_in_the_database_package() -> None:
    allowed = ("store", "queries", "rows")
    wrong = {
        str(path.relative_to(ROOT))
        for path in _product_modules()
        if any(name.split(".")[0] in {"alembic", "sqlalchemy"} for name in _imports(path))
        and path.relative_to(ROOT).parts[:2] != ("calmo_pagerduty", "db")
        and path.stem.split("_")[-1] not in allowed
    }
    assert wrong == set()


def test_one_module_imports_the_http_client() -> None:
    importing = {
        str(path.relative_to(ROOT))
        for path in _product_modules()
        if any(name.split(".")[0] == "httpx" for name in _imports(path))
    }
    assert importing == {"calmo_pagerduty/http_client.py"}


def test_the_features_know_no_temporal() -> None:
    wrong = {
        str(path.relative_to(ROOT))
        for path in _library_modules()
        if path.relative_to(LIBRARY).parts[0] not in IO_PACKAGES
        and any(name.split(".")[0] == "temporalio" for name in _imports(path))
    }
    assert wrong == set()


def test_activities_stand_in_activities_and_workflows_in_workflows() -> None:
    for decorator, folder in (("activity.defn", "activities"), ("workflow.defn", "workflows")):
        places = {
            path.relative_to(ROOT).parts[0]
            for path in _product_modules()
            if f"@{decorator}" in path.read_text()
        }
        assert places == {folder}


def _library_modules() -> Iterator[Path]:
    return (path for path in sorted(LIBRARY.rglob("*.py")) if path.name != "__init__.py")


def _product_modules() -> Iterator[Path]:
    return (path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py")))


def _does_io(path: Path) -> bool:
    relative = path.relative_to(LIBRARY)
    if relative.parts[0] in IO_PACKAGES or relative.stem in IO_MODULES:
        return True
    if any(str(relative).startswith(named) for named in IO_FILES):
        return True
    return path.stem.split("_")[-1] in IO_NAMES


def _is_io_module(name: str) -> bool:
    """Whether an imported module of ours does I/O; a name imported from one counts as well."""
    if not name.startswith("calmo_pagerduty."):
        return False
    path = ROOT / name.replace(".", "/")
    return any(
        candidate.with_suffix(".py").is_file() and _does_io(candidate.with_suffix(".py"))
        for candidate in (path, path.parent)
        if candidate != LIBRARY
    )


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += (f"{node.module}.{name.name}" for name in node.names)
    return tuple(found)
