"""The table of issues in a terminal: what one reads first stays whole in any width."""

import io
from typing import Any

import pytest

from ingress.commands.console import new_console
from ingress.commands.issue_view import IssueTable

AT = "2026-01-07T12:00:00+00:00"
INCIDENT: dict[str, Any] = {
    "id": "iss_1", "incident_id": "QFCENIQGUWNRE7", "title": "Cards fail", "status": "acknowledged",
    "severity": "critical", "priority": "P2", "created_at": AT, "last_event_type": "incident.reassigned",
}  # fmt: skip
FINDING = INCIDENT | {"id": "iss_3z5qy6hbmxmyheipqxo7tb", "origin": "finding", "priority": None}


def table_text(width: int) -> str:
    file = io.StringIO()
    new_console(file, width=width).print(IssueTable([INCIDENT, FINDING]))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 110, 200])
def test_no_word_is_cut_and_the_title_is_there(width: int) -> None:
    text = table_text(width)
    for word in ("critical", "acknowledged", "P2", "QFCENIQGUWNRE7", "Cards fail", "priority", "title"):
        assert word in text
    assert max(map(len, text.splitlines())) <= width


def test_the_last_event_is_left_out_only_where_it_has_no_room() -> None:
    assert "reassigned" not in table_text(80)
    assert "reassigned" in table_text(110)
