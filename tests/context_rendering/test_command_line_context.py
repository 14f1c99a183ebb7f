"""A responder at a terminal reads an incident's context, and waits for one."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.facts import UntrustedText
from calmo_pagerduty.contexts.model import DependencyView, IncidentContext
from calmo_pagerduty.contexts.runs import ContextState
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart
from ingress.app import build_app
from ingress.commands.context_plot import timeline_plot
from ingress.commands.context_view import context_view
from pagerduty_simulator.rest.serving import running_server
from tests.context_rendering.conftest import Told, an_issue
from tests.support.connected import add_connection
from tests.support.sample_context import BEGAN, a_context, assessment
from tests.support.terminal import Terminal


@pytest.fixture
async def terminal(told: Told) -> AsyncIterator[Terminal]:
    async with running_server(build_app(told.service.ingress), "127.0.0.1", 0) as url:
        yield Terminal(url, told.service)


def page(context: IncidentContext, width: int) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(context_view(context, width), width=width)
    return capture.get().splitlines()


async def test_a_page_is_shown_by_issue_or_by_incident(told: Told, terminal: Terminal) -> None:
    told.store()
    for name in (told.ref.issue_id, told.ref.incident_id):
        said = await terminal.run("context", name)
        assert said.code == 0, said.error
        for words in (
            "#4711  Checkout API: error rate above 5 %",
            "High impact: 72 of 100",
            "72/100",
            "correlated, not proven",
            "1 in 340 by chance",
            "Order database → Checkout API",
            "resolved after 24 min",
            "Amara Okafor acknowledged and resolved it",
            "probably asleep, Fri 03:41 (Europe/Paris)",
            "Shop web (open incident)",
            "✗ Alerts: not available: PagerDuty did not answer within 45 s",
            "not known, so not counted: alerts",
        ):
            assert words in said.text, words


async def test_the_document_and_the_page_can_be_had_as_they_are(told: Told, terminal: Terminal) -> None:
    told.store()
    told.store(reasons=("reopened",))
    document = (await terminal.run("context", told.ref.issue_id, "--json")).json
    assert IncidentContext.model_validate(document).version == 2
    first = (await terminal.run("context", told.ref.issue_id, "--json", "--version", "1")).json
    assert first["version"] == 1
    markdown = await terminal.run("context", told.ref.issue_id, "--markdown")
    assert markdown.text.startswith("# Incident ") and "Version 2, gathered" in markdown.text


async def test_what_is_not_there_is_said_with_what_to_do(told: Told, terminal: Terminal) -> None:
    none = await terminal.run("context", told.ref.incident_id)
    assert none.code == 1 and "--refresh --wait" in none.error
    unknown = await terminal.run("context", "QNOBODY")
    assert unknown.code == 1 and "there is no issue" in unknown.error
    odd = await terminal.run("context", "../x")
    assert odd.code == 1 and "neither" in odd.error
    told.service.database.write_blocking(
        lambda t: contexts.insert_version(t, told.ref, ("first event",), BEGAN)
    )
    gathering = await terminal.run("context", told.ref.incident_id)
    assert gathering.code == 3 and "--wait" in gathering.error
    told.store()
    missing = await terminal.run("context", told.ref.incident_id, "--version", "9")
    assert missing.code == 1 and "version 9" in missing.error


async def test_a_gathering_is_followed_source_by_source_and_then_shown(
    told: Told, terminal: Terminal
) -> None:
    database, ref = told.service.database, told.ref
    database.write_blocking(lambda t: contexts.insert_version(t, ref, ("first event",), BEGAN))
    part = ContextPart(Source.ALERTS, SourceState.FORBIDDEN, "the token may not read alerts")
    database.write_blocking(lambda t: contexts.upsert_part(t, ref, 1, part))
    waiting = asyncio.create_task(terminal.run("context", ref.issue_id, "--wait"))
    await asyncio.sleep(0)
    told.store()
    said = await waiting
    assert said.code == 0, said.error
    assert "✗ Alerts  not " in said.error and "✓ The incident  3, 0.4 s" in said.error
    assert "High impact" in said.text


async def test_one_that_could_not_be_put_together_is_a_failure(told: Told, terminal: Terminal) -> None:
    database, ref = told.service.database, told.ref
    version = database.write_blocking(lambda t: contexts.insert_version(t, ref, ("first event",), BEGAN))
    database.write_blocking(
        lambda t: contexts.mark_version_finished(t, ref, version, ContextState.FAILED, BEGAN)
    )
    said = await terminal.run("context", ref.issue_id, "--wait")
    assert said.code == 1 and "could not be put together" in said.error


async def test_a_new_version_is_asked_for(told: Told, terminal: Terminal) -> None:
    told.store()
    said = await terminal.run("context", told.ref.incident_id, "--refresh")
    assert said.code == 3 and "version 2 is being gathered" in said.error
    client = told.service.ingress.services.temporal.client
    await client.get_workflow_handle(
        f"pd-context:{told.ref.incident_id}:{told.ref.connection_id}"
    ).terminate()


async def test_an_incident_of_several_connections_needs_a_name(told: Told, terminal: Terminal) -> None:
    other = add_connection(told.service.database, told.keyring, "organization:acme")
    await an_issue(told.service, told.keyring, other, told.ref.incident_id)
    told.store()
    said = await terminal.run("context", told.ref.incident_id)
    assert said.code == 1 and other in said.error and told.ref.connection_id in said.error
    named = await terminal.run("context", told.ref.incident_id, "--connection", told.ref.connection_id)
    assert named.code == 0 and "High impact" in named.text


async def test_an_issue_shows_a_line_about_its_context(told: Told, terminal: Terminal) -> None:
    assert "none yet" in (await terminal.run("issues", "show", told.ref.issue_id)).text
    told.store()
    said = await terminal.run("issues", "show", told.ref.issue_id, columns="200")
    assert "impact 72 of 100; some sources are lacking" in said.text
    assert f"calmo-pagerduty context {told.ref.issue_id}" in said.text


async def test_a_connection_writes_contexts_back_only_where_it_is_told_to(
    told: Told, terminal: Terminal
) -> None:
    permit = ("connection", "permit", told.ref.connection_id, "--json")
    assert (await terminal.run("connection", "show", told.ref.connection_id, "--json")).json[
        "context_note"
    ] is False
    assert (await terminal.run(*permit, "--context-note")).json["context_note"] is True
    assert (await terminal.run(*permit, "--writes-per-hour", "5")).json["context_note"] is True
    assert (await terminal.run(*permit, "--no-context-note")).json["context_note"] is False


@pytest.mark.parametrize("width", [30, 44, 80, 110])
def test_it_can_be_read_in_any_window(width: int) -> None:
    lines = page(a_context(), width)
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    assert "1 in 340 by chance" in told and "What is lacking" in told


def test_what_is_near_the_incident_is_drawn_before_and_after_it() -> None:
    lanes = {line.plain[:11].strip(): line.plain[11:] for line in timeline_plot(a_context().assessment, 100)}
    at = lanes["this"].index("●")
    assert lanes["upstream"].index("▲") < at < lanes["downstream"].index("▼")
    assert lanes["changes"].count("◆") == 2 and lanes["changes"].rindex("◆") < lanes["upstream"].index("▲")
    assert lanes["before"][at] == "0"
    for line in timeline_plot(a_context().assessment, 10):
        assert len(line.plain) <= 35, "a window that is too narrow gets a plot that can still be read"


def test_without_anything_around_it_nothing_is_drawn() -> None:
    alone = assessment(changes=(), others=(), surrounding=DependencyView())
    assert list(timeline_plot(alone, 80)) == []
    assert "Around it" not in "\n".join(page(a_context(assessment=alone), 80))


def test_no_text_from_outside_steers_the_terminal() -> None:
    evil = "\x1b]8;;https://evil.example\x1b\\click\x1b[31m [bold]x[/bold] \u202e"
    facts = assessment().incident.model_copy(update={"title": UntrustedText(text=evil)})
    said = "\n".join(page(a_context(assessment=assessment(incident=facts)), 100))
    assert "\x1b" not in said and "\u202e" not in said
    assert "[bold]x[/bold]" in said


def test_what_would_be_read_twice_is_told_once() -> None:
    first, other = assessment().similar
    again = first.model_copy(update={"incident": first.incident.model_copy(update={"name": "#4119"})})
    context = a_context(assessment=assessment(similar=(first, other, again)))
    told = "\n".join(page(context, 100))
    assert told.count(first.title.text) == 1
    assert "1 more, handled alike: #4119" in told
