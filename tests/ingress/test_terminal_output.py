"""Nothing that PagerDuty's texts hold acts on the reader's terminal, whatever view or log shows it."""

import ast
import html
import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from markdown_it import MarkdownIt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty import logs
from calmo_pagerduty.kernel.markdown_text import escape_markdown, markdown_link
from calmo_pagerduty.plots.html_page import html_link
from calmo_pagerduty.tools.plans.report import ReportRow, markdown, summarise
from ingress.commands import issue_view, tool_view
from ingress.commands.console import new_console
from ingress.commands.output import emit
from tests.support.acting_characters import CLASS, SEQUENCES, acting
from tests.support.incident_worlds import NOW

COMMANDS = Path(__file__).parents[2] / "ingress" / "commands"
#: Each example has a character or a sequence of the whole class.
_PARTS = st.one_of(st.sampled_from((*SEQUENCES, *CLASS)), st.text(max_size=5))
TEXTS = st.lists(_PARTS, min_size=1, max_size=6).map("".join)


def an_issue(text: str) -> dict[str, Any]:
    at = "2026-03-01T09:00:00+00:00"
    who = {"id": text, "name": text}
    response = {
        "acknowledged_in": None,
        "resolved_in": 5.0,
        "acknowledge_target": None,
        "resolve_target": None,
    }
    entry = {"moved": True, "event_type": text, "occurred_at": at, "summary": text}
    return {
        "id": "iss_1", "incident_id": text, "title": text, "status": text, "severity": text, "priority": text,
        "urgency": text, "service": who, "assignees": [who], "created_at": at, "resolved_at": at, "url": text,
        "context": None, "response": response, "workflow_url": "http://127.0.0.1:8233/x", "timeline": [entry],
        "last_event_type": text,
    }  # fmt: skip


def views(text: str) -> list[RenderableType]:
    issue, item = an_issue(text), {"id": text, "name": text, "parts": {"summary": text}}
    call = {
        "state": "failed", "tool": text, "error": {"message": text}, "call_id": text, "requester": text,
        "approver": text,
        "connection_id": text, "arguments": {text: text}, "workflow_url": text, "result": None,
    }  # fmt: skip
    table = Table()
    table.add_column(Text(text))
    table.add_row(Text(text))
    return [
        issue_view.IssueTable([issue]),
        issue_view.issue_with_timeline(issue),
        issue_view.live_table([issue], 100, 50),
        issue_view.change_line(
            {"issue": issue, "event_types": [text], "at": NOW.isoformat(), "status": text}
        ),
        tool_view.result_view({"items": [item], "notes": [text], "next": text}, [("Name", "name")]),
        tool_view.result_view({text: {text: [text, {text: text}]}}, []),
        tool_view.result_view({"text": text}, []),
        tool_view.call_view(call, []),
        Group(Text(text), table),
    ]


@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_no_view_holds_a_character_that_acts_on_the_terminal(text: str) -> None:
    out = io.StringIO()
    console = new_console(out, width=120)
    for view in views(text):
        console.print(view)
    written = out.getvalue()
    assert acting(written) == set()


def test_a_terminal_gets_our_own_styles_and_no_link_of_others() -> None:
    out = io.StringIO()
    console = new_console(out, width=120, force_terminal=True, color_system="truecolor")
    console.print(Text("red \x1b[2J", style="bold red"))
    console.print(Text("here", style="link http://a.example/\x1b[2J"))
    console.print("[link=http://evil.example]here[/link]")
    written = out.getvalue()
    assert "\x1b[1;31m" in written and "\x1b[2J" not in written and "\x1b]8" not in written


def test_a_list_in_a_result_is_a_table_and_no_json_that_is_cut() -> None:
    """As `tool call get_schedule` shows who is on call when."""
    entries = [
        {"start": f"2026-03-{day:02}", "end": f"2026-03-{day + 1:02}", "user": {"id": "P1", "summary": "Ada"}}
        for day in range(1, 20)
    ]
    out = io.StringIO()
    new_console(out, width=120).print(tool_view.result_view({"name": "Primary", "entries": entries}, []))
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["name", "Primary"]
    assert [line.split() for line in lines if "2026-03-19" in line][-1] == ["2026-03-19", "2026-03-20", "Ada"]
    assert "{" not in out.getvalue() and "…" not in out.getvalue()


def test_no_view_holds_any_of_the_whole_class() -> None:
    everything = "".join((*CLASS, *SEQUENCES))
    out = io.StringIO()
    for view in views(everything):
        new_console(out, width=120).print(view)
    for formatter in (logs._Text(), logs._Json()):
        record = {"msg": everything, "levelname": "INFO", "title": everything, "name": everything}
        out.write(formatter.format(logging.makeLogRecord(record)))
    assert acting(out.getvalue()) == set()


@given(text=TEXTS, before=st.sampled_from(["https://ours.pagerduty.com/incidents/Q1", "https://", "x"]))
def test_a_reports_link_has_none_of_them_and_leads_nowhere_else(text: str, before: str) -> None:
    for address in (before + text, text + before, f"{before}{text}/more"):
        shown = markdown_link(escape_markdown(text), address) + html_link(text, address)
        assert acting(shown) == set()
        linked = re.findall(r'href="([^"]*)"|\]\((.*)\)$', shown)
        assert all(html.unescape("".join(found)) == address for found in linked)


@given(text=TEXTS)
def test_a_text_of_the_service_is_written_without_them(text: str) -> None:
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", written)
        emit(text, False, lambda shown: shown)
    assert acting(written.getvalue(), but="\n\t") == set()


@given(text=TEXTS)
def test_a_line_of_the_log_stays_one_line_without_them(text: str) -> None:
    for formatter in (logs._Text(), logs._Json()):
        record = logging.makeLogRecord({"msg": "it_failed", "levelname": "INFO", "title": text, "name": text})
        assert acting(formatter.format(record)) == set()
        assert "\n" not in formatter.format(record)


@given(text=TEXTS)
def test_a_report_has_no_link_and_none_of_them(text: str) -> None:
    row = ReportRow(text, 1, text, text, text, text, "resolved", NOW, None, 60.0)
    shown = markdown(summarise([row], title=text, since=NOW, until=NOW, made_at=NOW, notes=[text]))
    assert acting(shown) == set()
    page = MarkdownIt("commonmark").enable("table").render(shown)
    assert "<a" not in page and "<img" not in page


def test_every_command_writes_by_the_console_that_cleans() -> None:
    """Else a new view could bring escapes back."""
    for path in COMMANDS.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {name.id for name in calls if isinstance(name, ast.Name)}
        assert path.name == "console.py" or not names & {"Console", "print"}, path.name
