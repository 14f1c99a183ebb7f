"""The names of what people and agents do to an incident from here."""

from enum import StrEnum


class Action(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    REASSIGN = "reassign"
    ESCALATE = "escalate"
    SET_PRIORITY = "set_priority"
    ADD_NOTE = "add_note"
    SNOOZE = "snooze"
    REQUEST_RESPONDERS = "request_responders"
