"""Operations with real Temporal: who polls which queue in which release, and what runs when."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty import __version__
from calmo_pagerduty.reconciliation.reason_queries import ReconciledConnection
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.task_queues import Poller, QueueState, TaskKind, describe_queue
from ingress.app import build_app
from ingress.dashboard.trust import temporal_signs
from ingress.reconciliation import schedules
from ingress.reconciliation.schedule_states import list_schedule_states
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import visiting
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.system import running_system
from workflows import names

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


async def test_an_operator_sees_workers_with_their_release_and_schedules_with_the_paused_one(
    parts: Parts, browser: Browser
) -> None:
    async with (
        running_system(parts) as system,
        running_server(build_app(system.ingress), "127.0.0.1", 0) as address,
        visiting(browser, address) as visit,
    ):
        temporal, queue = parts.temporal, system.ingress.services.settings.task_queue
        connection = ReconciledConnection(system.connection_id, "organization:acme", None, datetime.now(UTC))
        await schedules.upsert_schedules(temporal, queue, connection, schedules.HEALTH)
        paused = temporal.get_schedule_handle(names.doctor_workflow_id(system.connection_id))
        await paused.pause(note="while PagerDuty moves us")
        handle = TemporalHandle(temporal)
        await eventually(
            lambda: list_schedule_states(handle, [system.connection_id]),
            lambda states: states is not None and [state.is_paused for state in states] == [False, True],
        )
        for name, kind in ((queue, TaskKind.WORKFLOWS), (names.pagerduty_queue(queue), TaskKind.ACTIVITIES)):
            await eventually(partial(describe_queue, temporal, name, kind), lambda state: bool(state.pollers))
        key = system.a_key(person="Olga", scopes=None)["Authorization"].removeprefix("Bearer ")
        await visit.sign_in(key, "/dashboard/operations")
        page = visit.page
        await expect(page.locator("#workers tbody tr")).to_have_count(2)
        await expect(page.locator("#workers tbody tr").first).to_contain_text(__version__)
        await expect(page.locator("#queues")).to_contain_text(names.pagerduty_queue(queue))
        await expect(page.locator("#schedules")).to_contain_text("paused while PagerDuty moves us")
        await expect(page.locator("#schedules")).to_contain_text("in ")
        assert await visit.looks_wrong("operations-temporal") == []
        await page.set_viewport_size({"width": 360, "height": 900})
        # The way to the pages that set things up is in sight, though the menu is longer than a phone is wide.
        await expect(page.get_by_role("link", name="Set up")).to_be_in_viewport(ratio=1)


def a_queue(kind: TaskKind, *seconds_ago: float) -> QueueState:
    pollers = (Poller("1@host", None, NOW - timedelta(seconds=seconds)) for seconds in seconds_ago)
    return QueueState("queue", kind, 0, timedelta(0), tuple(pollers))


@pytest.mark.parametrize(
    ("workflows", "activities", "tone", "words"),
    [
        ([5], [60], "good", "at work"),
        ([5, 200], [1], "good", "at work"),
        ([200], [], "bad", "none polls: incidents"),
        ([5], [200], "bad", "none polls for activities"),
    ],
)
def test_workers_are_judged_by_who_still_polls(
    workflows: list[float], activities: list[float], tone: str, words: str
) -> None:
    queues = (a_queue(TaskKind.WORKFLOWS, *workflows), a_queue(TaskKind.ACTIVITIES, *activities))
    sign = temporal_signs(True, queues, NOW)[-1]
    assert (sign.tone, sign.words.startswith(words)) == (tone, True)


def test_silence_of_temporal_says_nothing_of_workers() -> None:
    assert [(sign.about, sign.words) for sign in temporal_signs(True, None, NOW)] == [
        ("Temporal", "does not answer")
    ]
    assert [sign.words for sign in temporal_signs(False, None, NOW)] == ["away"]
