"""An incident's notes, status updates and log entries; and the account's log entries."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.incident_log import LogEntry
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject, user_reference
from pagerduty_simulator.resources import Note, StatusUpdate, User
from pagerduty_simulator.rest.answers import Answer, invalid
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page
from pagerduty_simulator.rest.incident_objects import belongs_in_overview, log_entry_object
from pagerduty_simulator.rest.incidents import find_incident

_MAX_NOTES: Final = 2_000
_DEFAULT_SPAN: Final = timedelta(days=30)


def _author(call: Call, author: User | None) -> JsonObject:
    if author is not None:
        return user_reference(call.links, author)
    return {
        "id": "PAUTOMAT",
        "type": "bot_user_reference",
        "summary": "Automation",
        "self": None,
        "html_url": None,
    }


def _note(call: Call, note: Note) -> JsonObject:
    return {
        "id": note.id,
        "user": _author(call, note.author),
        "channel": {"summary": "The PagerDuty website or APIs"},
        "content": note.content,
        "created_at": wire_seconds(note.created_at),
        "updated_at": wire_seconds(note.created_at),
    }


def _list_notes(call: Call) -> Answer:
    notes = find_incident(call, call.parameters[0]).notes
    return Answer(200, {"notes": [_note(call, note) for note in reversed(notes)]})


def _create_note(call: Call) -> Answer:
    incident, content = find_incident(call, call.parameters[0]), call.wrapped("note").get("content")
    if not isinstance(content, str) or not content.strip():
        raise invalid("Content cannot be empty")
    if len(incident.notes) >= _MAX_NOTES:
        raise invalid("An incident takes at most 2000 notes")
    call.site.publish(call.account.annotate(incident.id, content, by=call.by))
    note = call.account.incident(incident.id).notes[-1]
    return Answer(200, {"note": _note(call, note)})


def _status_update(call: Call, update: StatusUpdate) -> JsonObject:
    body: JsonObject = {
        "id": update.id,
        "message": update.message,
        "sender": _author(call, update.author),
        "created_at": wire_seconds(update.created_at),
    }
    if update.subject is not None:
        body |= {"subject": update.subject, "html_message": update.html_message}
    return body


def _create_status_update(call: Call) -> Answer:
    incident, body = find_incident(call, call.parameters[0]), call.body
    message, subject, html = body.get("message"), body.get("subject"), body.get("html_message")
    if not isinstance(message, str) or not message.strip():
        raise invalid("Message cannot be empty")
    if (subject is None) != (html is None):
        raise invalid("Give both subject and html_message, or neither")
    events = call.account.publish_status_update(
        incident.id, message, subject=subject, html_message=html, by=call.by
    )
    call.site.publish(events)
    update = call.account.incident(incident.id).status_updates[-1]
    return Answer(200, {"status_update": _status_update(call, update)})


def _list_entries_of_incident(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    entries = call.account.log.of(incident.id)
    since, until = call.moment("since"), call.moment("until")
    selected = [
        entry
        for entry in entries
        if (since is None or entry.created_at >= since) and (until is None or entry.created_at < until)
    ]
    return _page_of_entries(call, selected)


def _list_entries(call: Call) -> Answer:
    now = call.now + timedelta(seconds=1)
    until = call.moment("until") or now
    since, until = call.span(until - _DEFAULT_SPAN, now)
    entries = call.account.log.entries
    first, last = (bisect_left(entries, at, key=_created_at) for at in (since, until))
    selected: Sequence[LogEntry] = entries[first:last]
    team_ids = call.set_of("team_ids")
    if team_ids:
        call.ability("teams")
        incidents = call.account.incidents
        selected = [
            entry
            for entry in selected
            if not team_ids.isdisjoint(team.id for team in incidents[entry.incident_id].teams)
        ]
    return _page_of_entries(call, selected)


def _created_at(entry: LogEntry) -> datetime:
    return entry.created_at


def _page_of_entries(call: Call, entries: Sequence[LogEntry]) -> Answer:
    """Return a page of the entries, newest first as at PagerDuty."""
    if call.parameter("is_overview") == "true":
        entries = [entry for entry in entries if belongs_in_overview(entry)]
    newest_first = entries[::-1]
    return page(call, "log_entries", newest_first, lambda entry: log_entry_object(call, entry))


def _get_entry(call: Call) -> Answer:
    entry = lookup(call.account.log.by_id, call.parameters[0])
    return Answer(200, {"log_entry": log_entry_object(call, entry)})


_READ: Final = "incidents.read"
_WRITE: Final = "incidents.write"

OPERATIONS: Final = (
    a_read("listIncidentNotes", "/incidents/{}/notes", _list_notes, _READ),
    a_write("createIncidentNote", "POST", "/incidents/{}/notes", _create_note, _WRITE, from_required=True),
    a_write(
        "createIncidentStatusUpdate",
        "POST",
        "/incidents/{}/status_updates",
        _create_status_update,
        _WRITE,
        from_required=True,
    ),
    a_read("listIncidentLogEntries", "/incidents/{}/log_entries", _list_entries_of_incident, _READ),
    a_read("listLogEntries", "/log_entries", _list_entries, _READ),
    a_read("getLogEntry", "/log_entries/{}", _get_entry, _READ),
)
