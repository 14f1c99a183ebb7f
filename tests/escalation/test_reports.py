"""What readers see of a simulation and of the lint: names, words, plots, and nothing that could be code."""

import csv
import io
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.escalation.lint import analyse
from calmo_pagerduty.escalation.lint_tables import csv_cell, lint_csv, lint_markdown
from calmo_pagerduty.escalation.model import Outcome, Silence
from calmo_pagerduty.escalation.pictures import response_curves, simulation_lanes, simulation_window
from calmo_pagerduty.escalation.response import account_response
from calmo_pagerduty.escalation.simulation import simulate
from calmo_pagerduty.escalation.simulation_report import (
    CHANNEL_WORDS,
    OUTCOME_WORDS,
    SILENCE_WORDS,
    simulation_report,
)
from calmo_pagerduty.plots.figures import steps_figure
from calmo_pagerduty.plots.lanes import lanes_figure
from calmo_pagerduty.plots.model import Fill
from calmo_pagerduty.plots.terminal import lanes_text, plain
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from tests.support.past_responses import PastLog
from tests.support.small_accounts import MONDAY, account, level, policy, service, user

PHONE = ContactKind.PHONE
UTC = ZoneInfo("Etc/UTC")


def hostile() -> AccountSnapshot:
    """Return an account whose names try to be markup, a link and a formula."""
    plan = replace(
        policy(level("R1", 5, "amy"), num_loops=1), name="=HYPERLINK(1)|<script>[x](http://evil.example)"
    )
    return account(
        services=(service(),),
        policies=(plan,),
        users=(replace(user("amy", (0, PHONE), (7, PHONE)), name="A<b>"),),
    )


def test_the_words_are_total() -> None:
    assert set(CHANNEL_WORDS) == set(ContactKind)
    assert set(SILENCE_WORDS) == set(Silence)
    assert set(OUTCOME_WORDS) == set(Outcome)


def test_a_report_names_people_and_gives_their_local_time() -> None:
    snapshot = hostile()
    abroad = replace(snapshot, users=(replace(snapshot.users[0], time_zone="Asia/Kolkata"),))
    index = OnCallIndex(abroad)
    report = simulation_report(index, simulate(abroad, "V1", MONDAY))
    assert report["pages"][0]["person"]["local_time"] == "Mon 05:30 (Asia/Kolkata)"
    assert report["pages"][0]["channel_words"] == "phone call"
    assert report["ended_after_minutes"] == 10
    assert report["unpaged"][0]["why"] == "too_late"


def test_the_lanes_show_each_assignment_and_each_page_in_words() -> None:
    snapshot = hostile()
    index, simulation = OnCallIndex(snapshot), simulate(snapshot, "V1", MONDAY)
    lanes = simulation_lanes(index, simulation)
    assert [lane.name for lane in lanes] == ["level 1", "level 1, pass 2"]
    drawn = lanes_figure("s", "Simulation", simulation_window(simulation), UTC, lanes).document()
    assert "<b>" not in drawn
    assert "phone call" in drawn
    assert "level 1, pass 2" in plain(lanes_text("Simulation", simulation_window(simulation), UTC, lanes, 80))


def test_an_incident_that_would_not_be_created_is_drawn_as_such() -> None:
    snapshot = replace(hostile(), services=(service(status="disabled"),))
    simulation = simulate(snapshot, "V1", MONDAY)
    lanes = simulation_lanes(OnCallIndex(snapshot), simulation)
    assert lanes[0].rows[0].bars[0].fill is Fill.GAP


def test_a_ladder_without_enough_data_is_drawn_and_says_so() -> None:
    log = PastLog()
    log.trigger(MONDAY - 3600, "amy")
    snapshot = replace(hostile(), incidents=tuple(log.incidents), log_records=tuple(log.records))
    curves, markers = response_curves(account_response(snapshot, MONDAY).policies[0])
    assert curves[0].points == ()
    assert markers[0].x == 5
    assert steps_figure("l", "Ladder", "min", curves, markers).document()


def test_markdown_and_csv_show_hostile_names_as_text() -> None:
    result = analyse(hostile(), MONDAY)
    assert [finding.code for finding in result.findings] == ["single_level"]
    text = lint_markdown(result)
    # What could become a link or markup is shown as code.
    assert "## `=HYPERLINK(1)|<script>[x](http://evil.example) has only one level` (high)" in text
    rows = list(csv.reader(io.StringIO(lint_csv(result))))
    assert len(rows) == 2
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in rows[1])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


def test_what_could_not_be_read_stands_first() -> None:
    snapshot = hostile()
    result = analyse(snapshot, MONDAY)
    hidden = replace(result, inputs=replace(result.inputs, missing_permissions=("users",)))
    assert lint_markdown(hidden).splitlines()[2] == "**Not readable with this token:** users."
