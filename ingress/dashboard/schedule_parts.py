"""Parts of a schedule's page: its layers or rotations, its gaps and cliffs, and who could cover a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.time_axis import moment_text
from calmo_pagerduty.scheduling.schedule_edits import members_of
from calmo_pagerduty.snapshots.model import Schedule
from calmo_pagerduty.workload.cover import NotOnCall
from calmo_pagerduty.workload.cover_requests import CoverRefused
from ingress.dashboard.accounts import Account
from ingress.dashboard.local_times import local_moment
from ingress.dashboard.tables import Column, Table
from ingress.workload.models import CoverQuery, CoverSuggestionModel


class SchedulePart(NamedTuple):
    """A layer, or an event of a rotation. `turn` says how long a person's turn is."""

    name: str
    turn: str
    people: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class CoverAsked:
    """What the form for cover asks for, and the answer. `problem` says why there is none."""

    user: str = ""
    since: str = ""
    until: str = ""
    suggestion: CoverSuggestionModel | None = None
    problem: str = ""


async def cover_asked(account: Account, schedule: Schedule | None) -> CoverAsked:
    """Suggest who could cover the time in the address. Raises ResourceNotFound for what is no time."""
    given = account.ask.request.query_params
    user, since, until = (given.get(name, "") for name in ("user", "since", "until"))
    zone = account.zone()
    start, end = local_moment(since, zone), local_moment(until, zone)
    if schedule is None or not user or start is None or end is None:
        return CoverAsked(user, since, until)
    if end <= start:
        return CoverAsked(user, since, until, problem="The end must be after the start.")
    query = CoverQuery(schedule=schedule.id, user=user, since=start, until=end)
    if (end - start).days >= 31:
        return CoverAsked(user, since, until, problem="The time may be 31 days long at most.")
    try:
        suggestion = await account.ask.ingress.covers.suggest(account.request, account.ask.caller, query)
    except (CoverRefused, NotOnCall) as error:
        return CoverAsked(user, since, until, problem=str(error))
    return CoverAsked(user, since, until, suggestion)


def cover_values(account: Account, asked: CoverAsked) -> dict[str, Any]:
    """Return what `templates/cover_suggestion.html` shows, with local times."""
    zone, found = account.zone(), asked.suggestion

    def local(rows: list[JsonObject]) -> list[JsonObject]:
        return [{**row, **{name: _local(row[name], zone) for name in ("since", "until")}} for row in rows]

    parts = (
        {"split": [], "swaps": [], "uncovered": []}
        if found is None
        else {"split": local(found.split), "swaps": local(found.swaps), "uncovered": local(found.uncovered)}
    )
    return {"cover": asked, **parts}


def members(account: Account, schedule: Schedule) -> list[tuple[str, str]]:
    """Return the ids and names of whoever has shifts or a place in the order, by name."""
    ids = {entry.user_id for entry in schedule.entries or ()} | set(members_of(schedule, account.now))
    return sorted(((id, account.name(id)) for id in ids), key=lambda person: person[1].casefold())


def part_table(account: Account, schedule: Schedule) -> Table[SchedulePart]:
    """Return the layers and the rotations' events, with people in their order."""
    zone = account.zone()
    parts = [
        SchedulePart(
            layer.name,
            format_duration(layer.turn_seconds),
            ", ".join(account.name(user_id) for user_id in layer.user_ids),
            moment_text(layer.start, zone),
            "" if layer.end is None else moment_text(layer.end, zone),
        )
        for layer in schedule.layers
    ]
    parts += [
        SchedulePart(
            f"{rotation.name}: {event.name}",
            format_duration(event.first_end - event.first_start),
            ", ".join(account.name(user_id) if user_id else "nobody" for user_id in event.member_ids),
            moment_text(event.effective_since, zone),
            "" if event.effective_until is None else moment_text(event.effective_until, zone),
        )
        for rotation in schedule.rotations
        for event in rotation.events
    ]
    return Table(
        "Layers and rotations",
        (
            Column("Name", lambda part: part.name),
            Column("Turn", lambda part: part.turn),
            Column("People, in order", lambda part: part.people),
            Column("Since", lambda part: part.since, is_wide_only=True),
            Column("Until", lambda part: part.until or "open"),
        ),
        parts,
        empty="The schedule has neither layers nor rotations, so only overrides put people on call.",
    )


def gap_table(gaps: list[JsonObject], zone: ZoneInfo) -> Table[JsonObject]:
    """Return the gaps with their causes and what to do."""
    return Table(
        "Gaps",
        (
            Column("From", lambda gap: _local(gap["start"], zone)),
            Column("Until", lambda gap: _local(gap["end"], zone)),
            Column("Length", lambda gap: format_duration(gap["seconds"])),
            Column("Cause", lambda gap: gap["cause"].replace("_", " ")),
            Column("What to do", lambda gap: gap["remedy"]),
        ),
        gaps,
        empty="Somebody is on call at all times of the coming month, as far as it is known.",
    )


def cliff_table(cliffs: list[JsonObject], zone: ZoneInfo) -> Table[JsonObject]:
    """Return the dates from which on gaps follow."""
    return Table(
        "Cliffs",
        (
            Column("Ends", lambda cliff: _local(cliff["at"], zone)),
            Column("Cause", lambda cliff: cliff["cause"].replace("_", " ")),
            Column("What to do", lambda cliff: cliff["remedy"]),
        ),
        cliffs,
        empty="No layer, rotation or last override ends in the coming month and leaves gaps.",
    )


def candidate_table(asked: CoverAsked) -> Table[JsonObject]:
    """Return who could cover, the least loaded first. Loads are those that the reader may see."""
    suggestion = asked.suggestion
    return Table(
        "Who could cover",
        (
            Column("Person", lambda row: row["name"]),
            Column("Covers", lambda row: "all of it" if row["covers_all"] else "a part"),
            Column("Zone", lambda row: row["time_zone"]),
            Column("In sleep hours", lambda row: f"{row['sleep_hours']:g} h", is_figure=True),
            Column("Load", lambda row: _hours(row["load_hours"]), is_figure=True),
            Column("Debt", lambda row: _hours(row["debt_hours"]), is_figure=True),
        ),
        [] if suggestion is None else suggestion.candidates,
        empty="Nobody of this schedule is free then.",
    )


def _hours(hours: float | None) -> str:
    return "not shown" if hours is None else f"{hours:g} h"


def _local(text: str, zone: ZoneInfo) -> str:
    return moment_text(int(datetime.fromisoformat(text).timestamp()), zone)
