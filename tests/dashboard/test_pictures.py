"""The pictures of README and the tour are true: each page still says what it said when it was pictured.

The words beside the pictures (`docs/pictures/words.json`) are compared, not pixels, which would judge this
machine's fonts. With `CALMO_TESTS_RECORD_PICTURES=yes` both are made anew: look at them.
"""

import json
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.connections import rate_limit_store
from calmo_pagerduty.db import leases
from calmo_pagerduty.findings.model import FindingSeverity
from calmo_pagerduty.findings.service import record_results
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.reason_queries import ReconciledConnection
from calmo_pagerduty.snapshots.model import User
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.task_queues import TaskKind, describe_queue
from ingress.app import build_app
from ingress.forwarding.forwarder import LEASE as FORWARDER
from ingress.reconciliation import schedules
from ingress.reconciliation.schedule_states import list_schedule_states
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import Visit, visiting
from tests.support.builders import a_reference
from tests.support.coverage_worlds import DAY, HOUR, account, policy_of, schedule_of
from tests.support.dashboard import DashboardSite
from tests.support.doors import Doorway
from tests.support.eventually import eventually
from tests.support.findings import a_finding, a_result
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System, running_system
from workflows import names

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
WORDS = FOLDER / "words.json"
RECORD = "CALMO_TESTS_RECORD_PICTURES"
#: README and the tour must load fast.
MAX_BYTES = 150_000
#: A picture shows the beginning of a page. Its menus are left out: they change with every new page.
MAX_LINES = 45
WORDS_OF_PAGE = """() => [...document.querySelectorAll(".headline, main > :not(nav)")]
    .map((part) => part.innerText).join("\\n")"""
PEOPLE = {"UADA": "Ada Fischer", "UBEN": "Ben Okafor", "UCHLOE": "Chloe Martin"}
INCIDENTS = (
    ("Order database refuses writes", "Orders", "P1", 4, "UADA", EventType.TRIGGERED),
    ("Checkout API: latency above 900 ms in eu-west-1", "Checkout", "P2", 12, "UADA", EventType.ACKNOWLEDGED),
    ("Image CDN: product pictures time out in Europe", "Image CDN", "P3", 31, "UBEN", EventType.ACKNOWLEDGED),
    ("Search index is two hours old", "Search", "P4", 55, "UCHLOE", EventType.TRIGGERED),
    ("Nightly backup took longer than usual", "Orders", "P5", 184, "UBEN", EventType.ACKNOWLEDGED),
)
FINDINGS = (
    ("Nobody is on call for Shop on Saturday night", FindingSeverity.CRITICAL, "policy_gap"),
    ("Ben was woken four nights in a row", FindingSeverity.HIGH, "rough_nights"),
    ("Level 2 of Shop pages the same person as level 1", FindingSeverity.MEDIUM, "same_person"),
    ("The override of 3 March names somebody who left", FindingSeverity.LOW, "orphaned_override"),
)


@pytest.fixture
async def shop(parts: Parts) -> AsyncIterator[tuple[System, DashboardSite]]:
    """A shop on a bad evening, with a worker that works."""
    async with (
        running_system(parts) as system,
        running_server(build_app(system.ingress), "127.0.0.1", 0) as address,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=ANSWER) as client,
    ):
        site = DashboardSite(
            Doorway(system.ingress, parts.database, parts.keyring, system.http), address, client
        )
        await _fill(system, site)
        yield system, site


async def test_the_pictures_show_what_the_pages_say(
    shop: tuple[System, DashboardSite], browser: Browser
) -> None:
    system, site = shop
    queue = system.ingress.services.settings.task_queue
    for name, kind in ((queue, TaskKind.WORKFLOWS), (names.pagerduty_queue(queue), TaskKind.ACTIVITIES)):

        async def pollers(name: str = name, kind: TaskKind = kind) -> int:
            return len((await describe_queue(system.temporal, name, kind)).pollers)

        await eventually(pollers, lambda found: found > 0)
    key = site.a_key(*ALL_PERMISSIONS, person="UADA")
    async with visiting(browser, site.address) as visit:
        words = await _picture_all(visit, key, system.connection_id)
    if os.environ.get(RECORD):
        WORDS.write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n")
    assert words == json.loads(WORDS.read_text())


def test_pictures_are_small_and_each_is_shown_somewhere() -> None:
    shown = "".join(
        path.read_text() for path in (FOLDER.parents[1] / "README.md", *FOLDER.parent.glob("*.md"))
    )
    for picture in FOLDER.glob("*.png"):
        assert picture.stat().st_size < MAX_BYTES, picture.name
        assert f"pictures/{picture.name}" in shown, picture.name


async def _picture_all(visit: Visit, key: str, connection_id: str) -> Mapping[str, list[str]]:
    page = visit.page
    await page.set_viewport_size({"width": 1280, "height": 800})
    await visit.sign_in(key)

    async def on_call() -> str:
        await page.reload()
        return await page.locator(".headline").inner_text()

    await eventually(on_call, lambda text: "next page" in text)
    words = {"now": await _picture(visit, "now-light")}
    await page.emulate_media(color_scheme="dark")
    await _picture(visit, "now-dark")
    await page.emulate_media(color_scheme="light")
    for name, path in (
        ("findings", "findings"),
        ("permissions", f"connections/{connection_id}/permissions"),
        ("operations", "operations"),
    ):
        await visit.goto(f"/dashboard/{path}")
        words[name] = await _picture(visit, name)
    await page.set_viewport_size({"width": 360, "height": 740})
    await visit.goto("/dashboard/issues")
    await page.get_by_role("link", name=INCIDENTS[0][0]).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(INCIDENTS[0][0])
    words["issue"] = await _picture(visit, "issue-phone")
    return words


async def _picture(visit: Visit, name: str) -> list[str]:
    """Return the page's words in lines, without what differs each time."""
    await expect(visit.page.locator("#live")).to_have_attribute("data-state", "live")
    if os.environ.get(RECORD):
        await visit.page.screenshot(path=FOLDER / f"{name}.png")
    text: str = await visit.page.evaluate(WORDS_OF_PAGE)
    text = re.sub(r"\b(\d+ (s|min|h|d)( \d+ (min|h))?( ago)?|never)\b", "a while", text)
    text = re.sub(
        r"\b(\w+-)?[0-9a-f]{12,}\b|\b\d+@\S+|\b(iss|con|wh)_\w+|\d{4}-\d\d-\d\d[\d:. TZ]*", "…", text
    )
    return [line for line in (" ".join(line.split()) for line in text.splitlines()) if line][:MAX_LINES]


async def _fill(system: System, site: DashboardSite) -> None:
    connection, database, now = system.connection_id, site.database, int(time.time())
    people = tuple(User(user, name, None, "Europe/London") for user, name in PEOPLE.items())
    snapshot = account(
        schedules=(
            schedule_of("PFIRST", (now - HOUR, now + 5 * HOUR, "UADA"), (now + 5 * HOUR, now + DAY, "UBEN")),
            schedule_of("PSECOND", (now - DAY, now + 2 * DAY, "UCHLOE")),
        ),
        policies=(replace(policy_of("PPOLICY1", ["PFIRST"], ["PSECOND"]), name="Shop"),),
        users=people,
        taken_at=now,
        rendered_since=now - DAY,
        rendered_until=now + 30 * DAY,
        connection_id=connection,
    )
    store_snapshot_of(database, snapshot)
    webhook = site.webhook(connection_id=connection)
    for number, (title, service, priority, minutes, person, kind) in enumerate(reversed(INCIDENTS), 4180):
        await site.an_issue(
            webhook,
            title,
            minutes,
            kind=kind,
            number=number,
            priority_name=priority,
            service=a_reference("service", f"P{service.upper()}", service),
            assignees=[a_reference("user", person, PEOPLE[person])],
        )
    found = [a_finding(code, code=code, title=title, severity=severity) for title, severity, code in FINDINGS]
    moment = datetime.now(UTC)

    def fill(tx):  # type: ignore[no-untyped-def]  # steps of one transaction
        record_results(tx, connection, (a_result(*found, now=now - 2 * DAY),), moment - timedelta(days=2))
        reconciliations.update_watermark(tx, connection, moment - timedelta(minutes=2))
        leases.claim_lease(tx, FORWARDER, "calmo-1:8080", timedelta(hours=1))
        rate_limit_store.update_usage(tx, connection, minute_limit=960, minute_remaining=913)

    database.write_blocking(fill)
    settings, temporal = system.ingress.services.settings, system.temporal
    scheduled = ReconciledConnection(connection, "organization:acme", None, moment)
    await schedules.upsert_schedules(temporal, settings.task_queue, scheduled, schedules.HEALTH)
    handle = TemporalHandle(temporal)
    await eventually(
        lambda: list_schedule_states(handle, [connection]), lambda states: len(states or ()) == 2
    )
