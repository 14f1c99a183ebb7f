"""What a command does not import, so that it starts soon; how soon, `make bench` (startup) measures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Each starts a program of its own.
pytestmark = pytest.mark.slow

#: Packages that take long to import, or bring much with them.
SLOW = frozenset({
    "activities", "alembic", "bootstrap", "cryptography", "mcp", "networkx", "numpy", "prometheus_client",
    "psycopg", "pydantic", "pydantic_settings", "scipy", "sqlalchemy", "starlette", "temporalio",
    "uvicorn", "worker", "workflows",
})  # fmt: skip
#: Only who asks the REST API needs it, and only help and tables need rich.
CLIENT, RICH = "httpx", "rich"
EXPLAINED = (
    "", "up", "worker", "ingress", "mcp", "explain", "context", "reconcile", "doctor", "webhook",
    "webhook create", "issues", "issues act", "deliveries", "connection add", "tool", "audit",
    "api-key create", "health", "encryption", "findings", "what-if", "what-if ask",
)  # fmt: skip
#: Each ends in one line that says that nothing answers.
ASKING = (
    "issues list", "issues show PT4KHLK", "issues act PT4KHLK resolve", "tool list",
    "tool call list_users", "webhook list", "webhook pause abc", "connection list", "audit list",
    "api-key list", "deliveries list", "explain PT4KHLK", "context PT4KHLK", "reconcile con_a", "doctor",
    "health ingress", "findings list", "findings show 1", "what-if list",
    "what-if ask --leaver Ann@2026-12-01",
)  # fmt: skip
PROGRAM = """
import atexit, sys
atexit.register(lambda: print(*{name.partition(".")[0] for name in sys.modules}, file=sys.__stdout__))
from ingress.cli import main
main()
"""


def imported_by(*arguments: str, **environment: str) -> tuple[set[str], str]:
    """Return the packages that a command has imported when it ends, and what it said on standard error."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("CALMO_")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=given | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return set(ended.stdout.splitlines()[-1].split()), ended.stderr


@pytest.mark.parametrize("command", EXPLAINED)
def test_help_imports_nothing_slow(command: str) -> None:
    imported, _ = imported_by(*command.split(), "--help")
    assert imported & SLOW == set()
    assert RICH in imported
    assert CLIENT not in imported


@pytest.mark.parametrize("command", ASKING)
def test_a_command_that_asks_the_service_imports_nothing_slow(command: str) -> None:
    nowhere = "http://127.0.0.1:1"
    imported, error = imported_by(*command.split(), CALMO_URL=nowhere, CALMO_API_KEY="k", CALMO_HTTP_PORT="1")
    assert error.startswith("calmo-pagerduty: ") and len(error.splitlines()) == 1, error
    assert CLIENT in imported
    assert imported & SLOW == set()


def test_an_agents_program_learns_that_there_is_no_key_before_anything_slow_is_imported(
    tmp_path: Path,
) -> None:
    imported, error = imported_by("mcp", CALMO_DATA_DIR=str(tmp_path))
    assert "no API key" in error
    assert imported & SLOW == set()


def test_an_agents_server_imports_no_database_and_no_temporal() -> None:
    program = "import sys, ingress.mcp.stdio; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(imported.stdout.split()) & {"sqlalchemy", "temporalio", "numpy", "scipy", "networkx"} == set()


def test_a_door_imports_no_temporal_and_no_ingress_imports_what_only_agents_need() -> None:
    program = "import sys, ingress.door; print(*sys.modules); import ingress.app; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    door, app = ({name.partition(".")[0] for name in line.split()} for line in imported.stdout.splitlines())
    assert door & {"temporalio", "numpy", "mcp", "mcp_types", "jinja2", "icalendar"} == set()
    assert app & {"mcp", "mcp_types"} == set()
