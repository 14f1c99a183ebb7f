"""Commands are run on answers whose texts are hostile: nothing of them acts on the reader's terminal.

`recorded/answers.json` holds what the service of `make run` answered to each command, with lists cut short
(`record_answers.py`). Here every text in it gets characters that would act on a terminal: each text others,
from the whole class, so that each place of each answer is tried with several.
"""

import ast
import contextlib
import http.server
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

from ingress import cli
from tests.support.acting_characters import CLASS, SEQUENCES, acting, hostile

RECORDED = json.loads((Path(__file__).parent / "recorded" / "answers.json").read_text())
INGRESS = Path(__file__).parents[2] / "ingress"
#: What only we write: times, zones, and the words of our own tables. Views parse them, so they stay.
OURS = re.compile(
    r"\d{4}-\d\d-\d\d.*|\d+(:\d\d)*|[A-Z][a-z]+/[A-Za-z_]+|UTC|calmo\.\w+/\d+|[a-z_.:0-9-]*|#[0-9a-f]+",
    re.DOTALL,
)


def poisoned(value: Any, seed: str) -> Any:
    if isinstance(value, str):
        return value if OURS.fullmatch(value) else hostile(value, seed)
    if isinstance(value, dict):
        return {poisoned(name, seed): poisoned(part, seed) for name, part in value.items()}
    return [poisoned(part, seed) for part in value] if isinstance(value, list) else value


#: Commands that run on no recorded answer, and why.
NOT_RECORDED: Mapping[str, tuple[str, ...]] = {
    "runs a process": ("up", "worker", "ingress", "mcp"),
    "asks the database or the process itself": (
        "dashboard", "health ingress", "health worker", "encryption status", "encryption rewrap",
        "people list", "people set", "people remove", "api-key create",
        "erase issue", "erase person", "erase organization",
    ),
    "would end or change a key or a webhook of the demo": (
        "api-key rotate", "api-key clear-untrusted", "api-key revoke",
        "webhook create", "webhook set-secret", "webhook rotate", "webhook delete",
    ),
    "follows what happens": ("issues watch", "deliveries export", "webhook test", "webhook wizard"),
    "writes to PagerDuty, which the demo doesn't allow": (
        "issues act", "tool approve", "tool deny", "webhook subscribe",
        "escalation drill", "escalation drill-show", "escalation drill-cancel",
    ),
    "needs what the demo doesn't have": (
        "report show", "report send-to", "what-if show", "what-if compare", "what-if delete",
        "workload pay", "workload cover", "workload cover-answer",
    ),
    "would end or change the demo's connection": (
        "connection add", "connection rotate", "connection remove", "connection permit", "oncall run",
    ),
}  # fmt: skip


class _Service(http.server.BaseHTTPRequestHandler):
    rows: tuple[dict[str, Any], ...] = ()
    seed = ""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = (self.command, unquote(urlsplit(self.path).path))
        rows = [row for row in type(self).rows if (row["method"], unquote(row["path"])) == asked]
        # Of a run that was asked for again and again, the last answer says that it has ended.
        row = rows[-1] if rows else None
        body = b"{}" if row is None else _body(row, type(self).seed).encode(errors="surrogatepass")
        self.send_response(404 if row is None else 200)
        self.send_header("Content-Type", "application/json" if row is None else row["type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server calls these names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _body(row: dict[str, Any], seed: str) -> str:
    body = row["body"]
    return hostile(body, seed) if isinstance(body, str) else json.dumps(poisoned(body, seed))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["command"])
def test_no_command_writes_a_character_that_acts(
    row: dict[str, Any], address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = tmp_path / "away.csv"
    calendar.write_text("start,end\n2026-12-01,2026-12-05\n")
    arguments = [str(calendar) if word == "FILE" else word for word in row["arguments"]]
    monkeypatch.setenv("CALMO_URL", address)
    monkeypatch.setenv("CALMO_API_KEY", "a key")
    monkeypatch.setattr("sys.argv", ["calmo-pagerduty", *arguments])
    monkeypatch.setattr(_Service, "rows", tuple(row["answers"]))
    # Another command gives the same texts other characters.
    monkeypatch.setattr(_Service, "seed", row["command"])
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error), pytest.raises(SystemExit):
        cli.main()
    written = out.getvalue() + error.getvalue()
    assert "Traceback" not in written and out.getvalue(), written
    assert acting(written, but="\n\t") == set()


def test_the_whole_class_and_all_sequences_are_tried() -> None:
    tried = "".join(_body(answer, row["command"]) for row in RECORDED for answer in row["answers"])
    escaped = "".join(re.findall(r"\\(?:u[0-9a-f]{4}|[bfr])", tried))  # by JSON, as all that is not ASCII
    characters = set(json.loads(f'"{escaped}"')) | set(tried)
    assert set(CLASS) - characters == set()
    assert [sequence for sequence in SEQUENCES if json.dumps(sequence)[1:-1] not in tried] == []


def leaves(command: Any, *path: str) -> list[str]:
    inner = getattr(command, "commands", {})
    return [leaf for name in inner for leaf in leaves(inner[name], *path, name)] or [" ".join(path)]


def test_each_command_is_run_on_hostile_answers_or_it_is_said_why_not() -> None:
    left_out = {command for commands in NOT_RECORDED.values() for command in commands}
    lines = [row["command"] for row in RECORDED]
    recorded = {
        leaf
        for leaf in leaves(typer.main.get_command(cli.app))
        if any(line == leaf or line.startswith(f"{leaf} ") for line in lines)
    }
    assert not recorded & left_out
    assert recorded | left_out == set(leaves(typer.main.get_command(cli.app)))


def test_a_fault_is_told_without_what_acts(capsys: pytest.CaptureFixture[str]) -> None:
    cli._tell_fault(ValueError, ValueError("".join((*CLASS, *SEQUENCES))), None)
    assert acting(capsys.readouterr().err) == set()


def test_there_is_a_single_way_out() -> None:
    """Only these two modules write; all others call them."""
    for path in INGRESS.rglob("*.py"):
        if path.parent.name == "commands" and path.name in {"output.py", "console.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "Console", "os.write"}, f"{path.name}:{node.lineno} {called}"
                assert not re.search(
                    r"\b(typer|click|rich)\.(s?echo|print)$|\bstd(out|err)\.write", called
                ), f"{path.name}:{node.lineno} {called}"
