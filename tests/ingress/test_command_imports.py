"""What a command does not import, so that it starts soon; how soon, `make bench` (startup) measures."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

#: They start programs of their own.
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
#: Runs each command in a fork that has imported the command line alone, and writes down what it has then.
PROGRAM = """
import os, sys
from ingress.cli import main
folder, *commands = sys.argv[1:]
for number, command in enumerate(commands):
    if os.fork() == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(f"{folder}/{number}.error", os.O_WRONLY | os.O_CREAT), 2)
        sys.argv[1:] = command.split()
        try:
            main()
        except SystemExit:
            sys.stderr.flush()
        with open(f"{folder}/{number}.imported", "w") as imported:
            print(*{name.partition(".")[0] for name in sys.modules}, file=imported)
            imported.flush()
            os._exit(0)
    os.wait()
"""
#: The packages that a command has imported when it ends, and what it said on standard error.
Imported = tuple[set[str], str]


def imported_by(folder: Path, commands: Sequence[str], **environment: str) -> dict[str, Imported]:
    """Return what each command imports."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("CALMO_")}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), *commands],
        env=given | environment, stdin=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return {
        command: (
            set((folder / f"{number}.imported").read_text().split()),
            (folder / f"{number}.error").read_text(),
        )
        for number, command in enumerate(commands)
    }


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Imported]:
    return imported_by(tmp_path_factory.mktemp("explained"), [f"{command} --help" for command in EXPLAINED])


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Imported]:
    nowhere = {"CALMO_URL": "http://127.0.0.1:1", "CALMO_API_KEY": "k", "CALMO_HTTP_PORT": "1"}
    return imported_by(tmp_path_factory.mktemp("asking"), ASKING, **nowhere)


@pytest.mark.parametrize("command", EXPLAINED)
def test_help_imports_nothing_slow(explained: dict[str, Imported], command: str) -> None:
    imported, _ = explained[f"{command} --help"]
    assert imported & SLOW == set()
    assert RICH in imported
    assert CLIENT not in imported


@pytest.mark.parametrize("command", ASKING)
def test_a_command_that_asks_the_service_imports_nothing_slow(
    asking: dict[str, Imported], command: str
) -> None:
    imported, error = asking[command]
    assert error.startswith("calmo-pagerduty: ") and len(error.splitlines()) == 1, error
    assert CLIENT in imported
    assert imported & SLOW == set()


def test_an_agents_program_learns_that_there_is_no_key_before_anything_slow_is_imported(
    tmp_path: Path,
) -> None:
    imported, error = imported_by(tmp_path, ["mcp"], CALMO_DATA_DIR=str(tmp_path))["mcp"]
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
