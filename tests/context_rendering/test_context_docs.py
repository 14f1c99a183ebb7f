"""The page about contexts says what the code does."""

import re
from pathlib import Path

from rich.console import Console

from calmo_pagerduty.contexts.analysis.impact import FACTORS, IMPACT_LABELS
from calmo_pagerduty.contexts.analysis.recommendation import MIN_HANDED_SHARE, MIN_INCIDENTS
from calmo_pagerduty.contexts.analysis.root_cause import FALSE_DISCOVERY_RATE
from calmo_pagerduty.contexts.rendering.digest import MAX_BYTES
from calmo_pagerduty.contexts.store import MAX_VERSIONS
from ingress.commands.context_view import context_view
from ingress.mcp.context_tool import CONTEXT_CATEGORIES, CONTEXT_TOOL
from tests.support.sample_context import a_context
from workflows import names

PAGE = (Path(__file__).parents[2] / "docs" / "context.md").read_text()


def test_the_published_weights_are_those_that_count() -> None:
    rows = re.findall(r"^\| (\w+) \| (\d+) \|", PAGE, re.MULTILINE)
    assert {name: float(weight) for name, weight in rows} == {name: row[0] for name, row in FACTORS.items()}
    severe, high, moderate, _ = [f"{least:g}" for least, _ in IMPACT_LABELS]
    assert f"{severe} and more is severe, {high} high, {moderate} moderate" in PAGE


def test_the_thresholds_are_those_of_the_code() -> None:
    assert f"at most {FALSE_DISCOVERY_RATE * 100:.0f} % show a candidate" in PAGE
    assert f"At least {MIN_INCIDENTS} incidents" in PAGE and f"at\nleast {MIN_HANDED_SHARE}" in PAGE
    assert f"the versions that are kept ({MAX_VERSIONS})" in PAGE
    assert f"at most {MAX_BYTES // 1000} kB" in PAGE


def test_the_names_that_others_start_and_ask_by_are_right() -> None:
    for name in (
        names.INCIDENT_CONTEXT_WORKFLOW,
        names.SIGNAL_GATHER_AGAIN,
        names.QUERY_PROGRESS,
        CONTEXT_TOOL,
        *CONTEXT_CATEGORIES,
    ):
        assert f"`{name}`" in PAGE


def test_the_example_is_what_a_responder_sees() -> None:
    console = Console(width=96, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(context_view(a_context(), 96), width=96)
    shown = "\n".join(line.rstrip() for line in capture.get().splitlines())
    assert f"```\n{shown}\n```" in PAGE
