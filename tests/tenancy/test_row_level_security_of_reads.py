"""Row-level security stands behind the reads of our API: each says for whom it reads."""

import ast
from pathlib import Path

INGRESS = Path(__file__).parents[2] / "ingress"
#: What endpoints read for nobody in particular, and why that shows nobody anything.
FOR_NOBODY = {
    "get_latest_change_id": "a number, from which a stream then reads as its caller",
    "revalidate_principal": "the caller's own key",
    "verify_chain": "hashes and counts of the whole chain",
    "get_usage": "figures of a connection that was found as its caller",
    "webhooks.get_webhook": "the secrets of a webhook that was found as its caller",
}


def reads_without_a_reader() -> list[str]:
    """Return the reads of all endpoints that name no visibility."""
    found = []
    for path in sorted(INGRESS.rglob("*.py")):
        if not (path.name.endswith("endpoints.py") or path.name in {"lookup.py", "keys.py"}):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("database.read"):
                continue
            if len(node.args) + len(node.keywords) < 2:
                found.append(f"{path.relative_to(INGRESS)}: {ast.unparse(node.args[0])}")
    return found


def test_every_read_of_an_endpoint_says_for_whom() -> None:
    unexplained = [read for read in reads_without_a_reader() if not any(name in read for name in FOR_NOBODY)]
    assert unexplained == []
