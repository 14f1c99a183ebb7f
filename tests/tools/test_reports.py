"""A report counts what there is, and says what is missing."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.pagerduty.errors import NotInPlan, RateLimited, ServerFault, TokenRejected
from calmo_pagerduty.pagerduty.requests import ListResult
from calmo_pagerduty.tools.plans.report import markdown, percentile
from tests.support.plan_runs import listed, run


def incident(number: int, minutes: int | None, **fields: Any) -> dict[str, Any]:
    resolved = f"2026-02-2{number}T10:{minutes:02}:00Z" if minutes is not None else None
    return {
        "id": f"P{number}",
        "incident_number": number,
        "title": f"Down {number}",
        "status": "resolved" if resolved else "triggered",
        "urgency": "high",
        "created_at": f"2026-02-2{number}T10:00:00Z",
        "resolved_at": resolved,
        "service": {"id": "PS1", "summary": "Shop"},
        "priority": None,
    } | fields


INCIDENTS = listed(
    incident(1, 10),
    incident(2, 30, priority={"id": "PP", "summary": "P1"}),
    incident(3, None, urgency="low", service={"id": "PS2"}),
)
FIGURES = listed(
    {"id": "P1", "seconds_to_first_ack": 60, "seconds_to_resolve": 600},
    {"id": "P2", "seconds_to_first_ack": 120, "seconds_to_resolve": 1800},
)


def report(*answers: Any, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = run("generate_report", arguments, *answers).result
    return result


def test_a_report_sums_up_incidents_and_times() -> None:
    made = report(INCIDENTS, FIGURES)["report"]
    assert (made["incidents"], made["open"]) == (3, 1)
    assert made["time_to_acknowledge"] == {"known": 2, "mean": 90.0, "p50": 60.0, "p90": 120.0}
    assert made["time_to_resolve"] == {"known": 2, "mean": 1200.0, "p50": 600.0, "p90": 1800.0}
    assert [(row["name"], row["incidents"]) for row in made["by_service"]] == [("Shop", 2), ("PS2", 1)]
    assert [(row["name"], row["incidents"]) for row in made["by_priority"]] == [("none", 2), ("P1", 1)]
    assert made["by_day"] == {"2026-02-21": 1, "2026-02-22": 1, "2026-02-23": 1}
    assert [row["id"] for row in made["slowest"]] == ["P2", "P1"]
    assert made["notes"] == [
        "Not in PagerDuty's analytics yet, so with an unknown time to acknowledge: 1 of 3 incidents, "
        "0 of them of the last 24 hours."
    ]


def test_without_analytics_times_are_from_the_log() -> None:
    log = listed(
        {"type": "acknowledge_log_entry", "created_at": "2026-02-21T10:05:00Z", "incident": {"id": "P1"}},
        {"type": "acknowledge_log_entry", "created_at": "2026-02-21T10:02:00Z", "incident": {"id": "P1"}},
        {"type": "notify_log_entry", "created_at": "2026-02-21T10:01:00Z", "incident": {"id": "P1"}},
    )
    made = report(INCIDENTS, NotInPlan("not in plan", status=402), log)["report"]
    assert made["time_to_acknowledge"] == {"known": 1, "mean": 120.0, "p50": 120.0, "p90": 120.0}
    assert made["time_to_resolve"]["known"] == 2
    assert "not in plan" in made["notes"][0]


def test_a_spent_daily_quota_stops_no_report_but_a_busy_minute_delays_it() -> None:
    spent = RateLimited("spent", retry_after=timedelta(hours=9), daily=True)
    assert report(INCIDENTS, spent, listed())["report"]["incidents"] == 3
    for error in (
        RateLimited("busy", retry_after=timedelta(seconds=5)),
        ServerFault("x"),
        TokenRejected("x"),
    ):
        with pytest.raises(type(error)):
            report(INCIDENTS, error)


def test_a_report_says_that_it_was_cut() -> None:
    cut = INCIDENTS.model_copy(update={"next": "5000", "notes": ("a part is missing",)})
    notes = report(cut, FIGURES)["report"]["notes"]
    assert notes[0] == "a part is missing" and "5000" in notes[1]


def test_an_empty_report_is_a_report() -> None:
    made = report(listed(), listed())
    assert made["report"]["time_to_resolve"] == {"known": 0, "mean": None, "p50": None, "p90": None}
    assert "unknown" in made["text"] and "None." in made["text"]


def test_a_report_is_written_for_people_programs_and_spreadsheets() -> None:
    formula = incident(1, 10, title='=HYPERLINK("x")\nnext', service={"summary": "Shop|<b>*"})
    answers = (listed(formula), FIGURES)
    text = report(*answers, title="Our # month")["text"]
    assert text.startswith("# Our \\# month\n")
    assert "Shop\\|\\<b\\>\\*" in text and "<b>" not in text
    assert json.loads(report(*answers, format="json")["text"])["incidents"] == 1
    rows = list(csv.DictReader(io.StringIO(report(*answers, format="csv")["text"])))
    assert rows[0]["title"] == '\'=HYPERLINK("x")\nnext'
    assert (rows[0]["seconds_to_acknowledge"], rows[0]["created_at"]) == ("60", "2026-02-21T10:00:00Z")


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_percentile_is_the_smallest_value_that_holds_its_share(values: list[float]) -> None:
    for percent in (50, 90):
        found = percentile(values, percent)
        assert found in values
        assert sum(value <= found for value in values) * 100 >= percent * len(values)
        assert sum(value < found for value in values) * 100 < percent * len(values)


def test_the_page_of_a_report_shows_every_section() -> None:
    page = markdown(report(INCIDENTS, FIGURES)["report"])
    for heading in (
        "By service",
        "By priority",
        "By urgency",
        "By day",
        "Slowest to resolve",
        "What is missing",
    ):
        assert f"\n## {heading}\n" in page
    assert isinstance(INCIDENTS, ListResult)
