"""Rough nights as they happen: pages that webhooks tell of, before any snapshot has read them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.pagerduty.event_types import EventType, rule_of
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind, Section, SectionName, Urgency
from calmo_pagerduty.workload.interruptions import interruptions, known_window
from calmo_pagerduty.workload.told_pages import BEGINS, ENDS, ToldEvent, with_told_pages
from tests.support.builders import a_reference, an_event, body_of, headers_for, new_id
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.rough_night import requests, rough_snapshot
from tests.support.small_accounts import HOUR, MINUTE, MONDAY, account, level, policy, service, user
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System, running_system

PUSH, PHONE, EMAIL = ContactKind.PUSH, ContactKind.PHONE, ContactKind.EMAIL


def told(minutes: float, kind: EventType, *who: str, incident: str = "Q1") -> ToldEvent:
    at = MONDAY + round(minutes * MINUTE)
    return ToldEvent(f"E{minutes}{incident}", incident, kind, at, who, Urgency.HIGH, "P1")


def world() -> AccountSnapshot:
    return account(
        services=(service(),),
        policies=(policy(level("R1", 30, "amy")),),
        users=(user("amy", (0, PUSH), (5, PHONE), (10, EMAIL)), user("bob", (0, PHONE))),
    )


def pages(*events: ToldEvent, until_minutes: int = 60, read_minutes: int = 0) -> list[tuple[str, float]]:
    quiet = world()
    read = MONDAY + read_minutes * MINUTE
    log = Section(SectionName.LOG_ENTRIES, quiet.section(SectionName.SERVICES).state, read, 0)
    others = tuple(item for item in quiet.sections if item.name is not SectionName.LOG_ENTRIES)
    now = MONDAY + until_minutes * MINUTE
    known = with_told_pages(replace(quiet, sections=(*others, log)), events, now)
    found = interruptions(known, Span(MONDAY, now + 1))
    return [(item.user_id, (item.at - MONDAY) / MINUTE) for item in found]


def test_who_is_assigned_is_paged_by_the_own_rules_until_somebody_acknowledges() -> None:
    triggered = told(1, EventType.TRIGGERED, "amy")
    assert pages(triggered) == [("amy", 1), ("amy", 6)]
    assert pages(triggered, told(4, EventType.ACKNOWLEDGED, "amy")) == [("amy", 1)]
    again = told(20, EventType.UNACKNOWLEDGED, "amy")
    assert pages(triggered, told(4, EventType.ACKNOWLEDGED), again) == [("amy", 1), ("amy", 20), ("amy", 25)]


def test_an_escalation_pages_the_next_and_no_longer_the_first() -> None:
    events = (told(1, EventType.TRIGGERED, "amy"), told(3, EventType.ESCALATED, "bob"))
    assert pages(*events) == [("amy", 1), ("bob", 3)]
    # In whatever order, and however often, the webhooks came.
    assert pages(*reversed(events), events[0]) == pages(*events, events[0])


def test_what_has_not_come_yet_and_what_the_log_knows_is_not_counted() -> None:
    triggered = told(1, EventType.TRIGGERED, "amy")
    assert pages(triggered, until_minutes=3) == [("amy", 1)]
    assert pages(triggered, read_minutes=2) == [("amy", 6)]


def test_somebody_whose_rules_are_unknown_counts_with_one_page_per_assignment() -> None:
    assert pages(told(1, EventType.TRIGGERED, "zoe")) == [("zoe", 1)]


def test_a_snapshot_without_a_log_knows_what_webhooks_told_and_nothing_before() -> None:
    quiet = world()
    blind = replace(quiet, sections=tuple(s for s in quiet.sections if s.name is not SectionName.LOG_ENTRIES))
    now = MONDAY + HOUR
    known = with_told_pages(blind, [told(1, EventType.TRIGGERED, "amy")], now)
    assert known_window(known, Span(MONDAY - HOUR, now)) == Span(MONDAY + MINUTE, now)


def test_every_event_that_proves_a_status_begins_or_ends_pages() -> None:
    assert not BEGINS & ENDS
    assert {kind for kind in EventType if rule_of(kind).status is not None} <= BEGINS | ENDS


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, webhooks=True) as found:
        yield found


async def tell(system: System, at: datetime, who: str, kind: EventType = EventType.TRIGGERED) -> None:
    """Deliver an event of an incident that is assigned to this person."""
    payload = an_event(kind, new_id(), at=at, assignees=[a_reference("user", who, who)])
    body = body_of(payload)
    address = f"/webhooks/pagerduty/{system.webhook_id}"
    answer = await system.http.post(address, content=body, headers=headers_for(body))
    assert answer.status_code == 202, answer.text


async def test_webhooks_of_a_night_ask_for_cover_though_no_snapshot_has_read_it(system: System) -> None:
    now = datetime.now(UTC)
    rough = rough_snapshot(system.connection_id, now)
    evening = int(now.timestamp()) - 20 * HOUR
    sections = tuple(replace(section, fetched_at=evening) for section in rough.sections)
    quiet = replace(rough, incidents=(), log_records=(), taken_at=evening, sections=sections)
    store_snapshot_of(system.database, quiet)
    first = datetime.fromtimestamp(rough.log_records[0].at, UTC)
    sweeper = system.ingress.rough_night_sweeper
    await tell(system, first, "U1")
    await system.until_applied()
    assert await sweeper.sweep_once(now) == 0
    await tell(system, first + timedelta(hours=1), "U1")
    await tell(system, first + timedelta(hours=1), "U2")
    await system.until_applied()
    assert await sweeper.sweep_once(now) == 1
    assert await sweeper.sweep_once(now) == 0
    (asked,) = await eventually(lambda: requests(system), lambda found: len(found) == 1)
    assert asked["person"]["id"] == "U1"
    assert asked["evidence"]["interruptions"] == 2
    # Nothing was edited: no call of a tool was filed.
    assert (await system.get("/api/tool-calls"))["calls"] == []


async def test_who_was_on_call_that_night_too_is_not_asked(system: System) -> None:
    now = datetime.now(UTC)
    rough = rough_snapshot(system.connection_id, now)
    (rota,) = rough.schedules
    first = rough.log_records[0].at
    (entry, *_) = rota.entries or ()
    hour = replace(entry, start=first - 3 * HOUR, end=first - 2 * HOUR, user_id="U2")
    second = replace(rota, id="S2", name="Second", entries=(hour,))
    store_snapshot_of(system.database, replace(rough, schedules=(rota, second)))
    assert await system.ingress.rough_night_sweeper.sweep_once(now) == 1
    (asked,) = await eventually(lambda: requests(system), lambda found: len(found) == 1)
    assert asked["asked"][0]["id"] != "U2"
    assert asked["candidates"] == 2
