"""Absences: when people are away, by imported calendars; importing one, and removing it."""

from collections.abc import Sequence
from typing import NamedTuple

from starlette.datastructures import UploadFile

from calmo_pagerduty.absences.ics import MAX_BYTES, CalendarRefused
from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.time_axis import moment_text
from ingress.absences.models import AbsenceCalendarModel, CalendarImport
from ingress.api.endpoints import NoInput
from ingress.dashboard.accounts import Account, find_account
from ingress.dashboard.page import Action, Ask, Content, Done, Page
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Column, Table

PATH = f"{ROOT}/schedules/absences"
#: Times away that a row names; the rest is counted.
MAX_NAMED = 4


class CalendarRow(NamedTuple):
    """A person's calendar, with its times in the person's zone."""

    calendar: AbsenceCalendarModel
    name: str
    #: Times away that are not over, the next one first.
    coming: Sequence[str]
    connection: str


async def show(ask: Ask) -> Content:
    """GET /dashboard/schedules/absences"""
    account = await find_account(ask)
    if account.snapshot is None:
        return account.content()
    listed = await ask.ingress.absences.list_all(account.request, ask.caller, NoInput())
    people = [pair for pair in account.options()["person"] if ask.caller.persons.admits([pair[0]])]
    rows = sorted((_row(account, item) for item in listed.calendars), key=lambda row: row.name.casefold())
    return account.content(
        {"people": people, "hidden": listed.hidden_calendars, "most_kilobytes": MAX_BYTES // 1000},
        {"calendars": calendar_table(rows)},
    )


async def import_calendar(ask: Ask) -> Done:
    """POST /dashboard/schedules/absences: a file or pasted text. Raises CalendarRefused, TooManyCalendars."""
    account = await find_account(ask, ask.text("connection"))
    body = CalendarImport.model_validate(
        {"text": await _text(ask), "all_events": ask.text("all_events") == "yes"}
    )
    request = account.request_with(user=ask.text("user") or "")
    calendar = await ask.ingress.absences.replace(request, ask.caller, body)
    left_out = "".join(f" Left out: {item.events} × {item.reason}." for item in calendar.skipped)
    times = f"{calendar.away_count} time{'' if calendar.away_count == 1 else 's'}"
    kind = "done" if calendar.away_count else "note"
    message = f"Imported: {account.name(calendar.user)} is away {times}.{left_out}"
    return Done(f"{PATH}{account.query_text}", message, kind)


async def remove(ask: Ask) -> Done:
    """POST /dashboard/schedules/absences/{user}/remove"""
    account = await find_account(ask, ask.text("connection"))
    removed = await ask.ingress.absences.remove(account.request, ask.caller, NoInput())
    word = (
        "Removed: nothing of the calendar is kept." if removed.removed else "There was no calendar any more."
    )
    return Done(f"{PATH}{account.query_text}", word)


async def _text(ask: Ask) -> str:
    """Return the file's text, else the pasted one. The form as a whole is bounded already.

    Raises CalendarRefused: neither is there.
    """
    file = ask.form.get("file")
    if isinstance(file, UploadFile) and file.size:
        return (await file.read()).decode("utf-8", "replace")
    if (pasted := ask.text("text")) is None:
        raise CalendarRefused("choose a file, or paste its text")
    return pasted


def _row(account: Account, calendar: AbsenceCalendarModel) -> CalendarRow:
    user = account.index.users.get(calendar.user)
    zone = (time_zone(user.time_zone) if user else None) or account.zone()
    coming = [
        " to ".join(moment_text(int(at.timestamp()), zone) for at in (away.start, away.end))
        for away in calendar.away
        if away.end > account.ask.now
    ]
    return CalendarRow(calendar, account.name(calendar.user), coming, account.connection or "")


def calendar_table(rows: Sequence[CalendarRow]) -> Table[CalendarRow]:
    """Return the calendars, a row for each person."""
    return Table(
        "Calendars",
        (
            Column("Person", lambda row: row.name),
            Column("Away", lambda row: "; ".join(row.coming) or "no time ahead", cell="away_times"),
            Column("Known until", lambda row: f"{row.calendar.known_until:%Y-%m-%d}", is_wide_only=True),
            Column("Left out", _left_out, is_wide_only=True),
            Column("Imported", lambda row: row.calendar.imported_at.isoformat(), cell="calendar_imported"),
            Column("Change", lambda row: "", cell="calendar_actions"),
        ),
        rows,
        empty="No calendar is stored. Import one: cover and fair shares then leave out who is away.",
    )


def _left_out(row: CalendarRow) -> str:
    return "; ".join(f"{item.events} × {item.reason}" for item in row.calendar.skipped) or "nothing"


PAGES = (Page("/schedules/absences", "Absences", FINDINGS_READ, show, "absences", tab="Absences"),)
ACTIONS = (
    Action("/schedules/absences", FINDINGS_WRITE, import_calendar, max_files=1),
    Action("/schedules/absences/{user}/remove", FINDINGS_WRITE, remove),
)
