"""Tests wait for as long as a busy machine needs."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
CLIENTS = {"AsyncClient", "Client"}


def _clients_without_a_bound(file: Path) -> Iterator[str]:
    """Yield where a client of a real address is made that gives up after httpx's five seconds."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = {keyword.arg for keyword in node.keywords}
        if name in CLIENTS and "trust_env" in given and not given & {"timeout", "transport"}:
            yield f"{file.relative_to(TESTS)}:{node.lineno}"


def test_every_client_of_a_real_address_waits_for_a_busy_machine() -> None:
    found = [place for file in sorted(TESTS.rglob("*.py")) for place in _clients_without_a_bound(file)]
    assert found == [], "give each timeout=ANSWER, of tests.support.patience"
