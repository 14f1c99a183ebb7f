"""Accounts whose people take turns and are paged, so that a test can compute shares and pages by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    ContactKind,
    Incident,
    Layer,
    LogKind,
    LogRecord,
    Schedule,
    Team,
    Urgency,
    User,
)
from tests.support.small_accounts import DAY, HOUR, MONDAY, account, level, policy, schedule, service

NOW = MONDAY
WEEK = 7 * DAY


def person(user_id: str, zone: str | None = "Etc/UTC", *team_ids: str) -> User:
    return User(user_id, f"Name of {user_id}", None, zone, team_ids=team_ids)


def rota(
    schedule_id: str, order: Sequence[str], members: Sequence[str] = (), turn: int = WEEK, since: int = NOW
) -> Schedule:
    """Return a schedule from five weeks before `since` on, in which people take turns in this order."""
    first, last = since - 5 * WEEK, since + 13 * WEEK
    entries = [
        (at, at + turn, order[number % len(order)]) for number, at in enumerate(range(first, last, turn))
    ]
    layer = Layer(f"L{schedule_id}", "Layer", first, None, first, turn, tuple(members or sorted(set(order))))
    return replace(schedule(schedule_id, *entries), layers=(layer,))


def page(user_id: str, at: int, incident_id: str, channel: ContactKind = ContactKind.PHONE) -> LogRecord:
    record_id = f"R-{incident_id}-{user_id}-{at}-{channel}"
    return LogRecord(record_id, incident_id, at, LogKind.NOTIFY, (user_id,), channel=channel)


def incident(incident_id: str, at: int) -> Incident:
    return Incident(incident_id, 1, None, "V1", "P1", Urgency.HIGH, at, at + HOUR, "resolved")


def paged_account(
    rota_schedule: Schedule,
    pages: Iterable[tuple[str, int]],
    users: Sequence[User] = (),
    teams: Sequence[Team] = (),
) -> AccountSnapshot:
    """Return an account with one schedule on the first level; each page is of an incident of its own."""
    listed = sorted(pages, key=lambda item: (item[1], item[0]))
    user_ids = sorted({entry.user_id for entry in rota_schedule.entries or ()} | {key for key, _ in listed})
    return account(
        schedules=(rota_schedule,),
        policies=(policy(level("R1", 30, rota_schedule.id)),),
        services=(service(),),
        users=tuple(users or map(person, user_ids)),
        teams=tuple(teams),
        incidents=tuple(incident(f"I{number}", at) for number, (_, at) in enumerate(listed)),
        log_records=tuple(page(user_id, at, f"I{number}") for number, (user_id, at) in enumerate(listed)),
    )
