"""Nothing lost, nothing doubled, nothing wrong: whatever crashes, and whenever."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.delivery_contract import AttemptOutcome, InjectedFaults
from pagerduty_simulator.delivery_ledger import DeliveryLedger, read_ledger
from pagerduty_simulator.reference_fold import expected_state
from pagerduty_simulator.storms import random_storm, with_duplicates_and_disorder
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.accounts import Books, disordered, doubled, lost, settled_books, wrong
from tests.support.chaos import Weather, publish_evenly, rage
from tests.support.patience import STORY
from tests.support.service import Service, running_service

SECRET = "a-signing-secret-of-the-storm"
#: PagerDuty's first retry comes after 10 s, ours after 0.1 s; the 5 s deadline stays real.
CLOCK_SPEED = 100.0
#: Besides the fifth that comes right behind its successor, a tenth comes a second late: what overtook
#: it is on the timeline by then.
LATE = InjectedFaults(reorder_share=0.1, reorder_hold=timedelta(seconds=1 * CLOCK_SPEED))
#: Short lives: workflows continue as new, complete and begin again in the middle of the storm.
SETTINGS = {
    "CALMO_COMPLETE_AFTER": "PT2S",
    "CALMO_CONTINUE_AS_NEW_AFTER": "40",
    "CALMO_CONFIRM_AFTER": "PT5S",
}


@dataclass(frozen=True, slots=True)
class Storm:
    """How much is sent, over how long, and what is done to the parts meanwhile."""

    events: int
    incidents: int
    weather: Weather


#: Every run, on SQLite: each part crashes, Temporal for longer than a request lasts; the worker freezes once.
SHORT = Storm(
    events=200,
    incidents=40,
    weather=Weather(
        seconds=6,
        crashes={"worker": 1, "ingress": 1, "temporal": 0},
        longest_crash_seconds=1.0,
        outages=(("crash", "temporal", 3.0), ("freeze", "worker", 3.0)),
    ),
)
REPEATED = Storm(
    events=300,
    incidents=60,
    weather=Weather(
        seconds=8,
        crashes={"worker": 2, "ingress": 2, "temporal": 1},
        longest_crash_seconds=1.0,
        outages=(("crash", "temporal", 3.0), ("freeze", "worker", 3.0)),
    ),
)
LONG = Storm(
    events=2000,
    incidents=300,
    weather=Weather(
        seconds=60,
        crashes={"worker": 6, "ingress": 6, "temporal": 3},
        # The ingress is away for longer than PagerDuty's deadline: what it held was sent again.
        outages=(
            ("crash", "temporal", 12.0),
            ("freeze", "temporal", 3.0),
            ("freeze", "worker", 5.0),
            ("freeze", "ingress", 7.0),
        ),
    ),
)


async def test_crashes_lose_double_and_twist_nothing(tmp_path: Path, database_url: str) -> None:
    await _weather_the_storm(SHORT, 16, tmp_path, database_url)


@pytest.mark.each_database
@pytest.mark.torture
async def test_repeated_crashes_lose_double_and_twist_nothing(tmp_path: Path, database_url: str) -> None:
    await _weather_the_storm(REPEATED, 16, tmp_path, database_url)


@pytest.mark.each_database
@pytest.mark.torture
@pytest.mark.parametrize("seed", [11, 23, 58])
async def test_a_long_storm_of_crashes_loses_doubles_and_twists_nothing(
    tmp_path: Path, database_url: str, seed: int
) -> None:
    await _weather_the_storm(LONG, seed, tmp_path, database_url)


async def _weather_the_storm(storm: Storm, seed: int, folder: Path, database_url: str) -> None:
    begun = datetime.now(UTC)
    told = random_storm(seed, storm.incidents, storm.events, begins_at=begun - timedelta(hours=1))
    arriving = with_duplicates_and_disorder(told, seed, duplicate_share=0.2, disorder_share=0.2)
    blows = storm.weather.blows(seed)
    _print(f"seed {seed}", *sorted((blow for mine in blows.values() for blow in mine), key=str))
    sender = WebhookSender(
        clock=ScaledClock(CLOCK_SPEED),
        faults=LATE,
        seed=seed,
        ledger=DeliveryLedger(folder / "ledger.jsonl"),
    )
    database = Database(database_url)
    try:
        async with running_service(folder, database_url, SETTINGS) as service:
            subscription = sender.subscribe(await service.create_webhook(SECRET), SECRET)
            async with asyncio.TaskGroup() as both:
                both.create_task(publish_evenly(sender, arriving, storm.weather.seconds))
                both.create_task(rage(service, blows))
            await sender.drained(STORY)
            books = await settled_books(database)
            service.check_all_run()
            _print_figures(storm, service, sender, books, datetime.now(UTC) - begun)
    finally:
        await sender.aclose()
        database.close()

    ledger = read_ledger(folder / "ledger.jsonl")
    assert set(ledger.acknowledged) == {event.id for event in told}
    assert ledger.dropped == {}
    assert subscription.times_disabled == 0
    assert lost(books, ledger.acknowledged) == set()
    assert doubled(books) == set()
    assert wrong(books, expected_state(told)) == {}
    assert disordered(books, told) == []
    assert books.states == {"applied": storm.events}
    assert books.duplicates >= len(arriving) - storm.events
    assert books.dead_letters == 0
    assert not any(issue.needs_reconcile for issue in books.issues)


def _print_figures(
    storm: Storm, service: Service, sender: WebhookSender, books: Books, took: timedelta
) -> None:
    retried = sum(attempt.verdict is AttemptOutcome.RETRIED for attempt in sender.attempts)
    _print(
        f"{storm.events} events over {storm.incidents} incidents, {service.kills} kills, "
        f"{took.total_seconds():.0f} s; retried by PagerDuty {retried}, "
        f"sent to Temporal again {books.sent_again}, duplicates absorbed {books.duplicates}"
    )


def _print(*lines: object) -> None:
    """Pytest shows it with -s, and with a failure."""
    for line in lines:
        print(line)  # noqa: T201 - a program for people
