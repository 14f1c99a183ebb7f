"""Row-level security stands behind the reads and writes of our API: each says for whom it is made."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
INGRESS = ROOT / "ingress"
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


#: Arguments that say in whose name a function writes.
IN_SOMEBODYS_NAME = {"principal", "reader", "caller", "admission"}
#: Writes in somebody's name that row-level security says nothing about, and why.
TO_NOBODYS_TABLES = {
    "audit_failed_sign_in": "nobody signed in",
    "mark_used": "the caller's own key",
    "mark_untrusted_read": "the caller's own key",
    "dashboard/sessions.py": "the caller's own session",
    "mark_needs_reconcile": "the reader is that of PagerDuty",
}


def writes_without_a_writer() -> list[str]:
    """Return the writes of functions that have a caller, and name no visibility."""
    found = []
    for path in sorted((*INGRESS.rglob("*.py"), *(ROOT / "calmo_pagerduty").rglob("*service.py"))):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.AsyncFunctionDef):
                continue
            if IN_SOMEBODYS_NAME.isdisjoint(argument.arg for argument in function.args.args):
                continue
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("database.write"):
                    continue
                if not any(keyword.arg == "seen_by" for keyword in node.keywords):
                    found.append(f"{path.relative_to(ROOT)}: {ast.unparse(node.args[0])}")
    return found


def test_every_write_in_somebodys_name_says_in_whose() -> None:
    unexplained = [
        write for write in writes_without_a_writer() if not any(name in write for name in TO_NOBODYS_TABLES)
    ]
    assert unexplained == []


def test_every_read_of_an_endpoint_says_for_whom() -> None:
    unexplained = [read for read in reads_without_a_reader() if not any(name in read for name in FOR_NOBODY)]
    assert unexplained == []
