"""A rough night in a stored snapshot, on the running service: U1 is on call now and had a bad night."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry, Team
from tests.support.rotas import paged_account, person, rota as rota_of
from tests.support.small_accounts import DAY, HOUR
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System
from workflows import names

PEOPLE = ("U1", "U2", "U3", "U4")


def noon_zone(now: datetime) -> str:
    """Return the zone in which it is between 12:00 and 13:00: the night is over, the day is not."""
    ahead = 12 - now.hour
    return "Etc/UTC" if ahead == 0 else f"Etc/GMT{-ahead:+d}"


def rough_snapshot(
    connection_id: str, now: datetime, covers: timedelta = timedelta(days=3)
) -> AccountSnapshot:
    """U1 was paged at two and at three in the night, and is on call for `covers` more."""
    at, zone = int(now.timestamp()), noon_zone(now)
    local_two = at - at % HOUR - 10 * HOUR
    schedule = rota_of("S1", PEOPLE, turn=DAY, since=at - at % DAY)
    far = [item for item in schedule.entries or () if item.end <= at - 4 * DAY or item.start >= at + 4 * DAY]
    on_call = Entry(at - 2 * DAY, at + int(covers.total_seconds()), "U1")
    snapshot = paged_account(
        replace(schedule, entries=(*far, on_call)),
        [("U1", local_two), ("U1", local_two + HOUR)],
        users=[person(key, zone, "T1") for key in PEOPLE],
        teams=[Team("T1", "Shop", manager_ids=("U9",))],
    )
    return replace(
        snapshot,
        id=f"snap_{connection_id}",
        connection_id=connection_id,
        taken_at=at,
        rendered_since=at - 30 * DAY,
        rendered_until=at + 60 * DAY,
        sections=tuple(replace(section, fetched_at=at) for section in snapshot.sections),
    )


async def begin_rough_night(service: System, covers: timedelta = timedelta(days=3)) -> str:
    """Store the snapshot, let the sweeper find the night, and return the workflow's id."""
    now = datetime.now(UTC)
    store_snapshot_of(service.database, rough_snapshot(service.connection_id, now, covers))
    sweeper = service.ingress.rough_night_sweeper
    assert await sweeper.sweep_once(now) == 1
    assert await sweeper.sweep_once(now) == 0
    ((night, _),) = await service.ingress.services.cover_service.find_rough_nights(service.connection_id, now)
    return names.rough_night_workflow_id(night)


async def requests(service: System, **headers: Any) -> list[dict[str, Any]]:
    path = f"/api/connections/{service.connection_id}/cover-requests"
    found: list[dict[str, Any]] = (await service.get(path, **headers))["requests"]
    return found
