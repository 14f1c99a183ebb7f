"""The names of what people and agents do to an incident from here."""

from enum import StrEnum


class Action(StrEnum):
    """What a person or an agent can do to an incident from here."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    REASSIGN = "reassign"
    ESCALATE = "escalate"
    SET_PRIORITY = "set_priority"
    ADD_NOTE = "add_note"
    SNOOZE = "snooze"
    REQUEST_RESPONDERS = "request_responders"
