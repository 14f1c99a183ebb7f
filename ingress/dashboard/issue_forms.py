"""The forms by which a person acts on an issue: one row for each action, with its fields and its words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import InvalidAction

#: Returns a field of the form; None if it is empty or not there.
Given = Callable[[str], str | None]

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Source:
    """A tool that lists what a field may be; it lists at most `limit` at a time."""

    tool: str
    limit: int | None = 100


USERS = Source("list_users")
POLICIES = Source("list_escalation_policies")
PRIORITIES = Source("list_priorities", None)


@dataclass(frozen=True, slots=True)
class FormField:
    """A field. With `source` or `choices` it is chosen from a list, with `is_long` it has several lines."""

    name: str
    label: str
    _: KW_ONLY
    required: bool = False
    is_long: bool = False
    is_number: bool = False
    hint: str = ""
    source: Source | None = None
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ActionForm:
    """How a person takes an action. `key` is the key on the keyboard that begins it.

    With `asks`, a page with the incident's number asks before anything is done; else one press is enough.
    """

    word: str
    explanation: str
    _: KW_ONLY
    fields: Sequence[FormField] = ()
    arguments: Callable[[Given], Mapping[str, Any]] = lambda _given: {}
    key: str | None = None
    asks: bool = True


def _taken(*names: str) -> Callable[[Given], Mapping[str, Any]]:
    return lambda given: {name: text for name in names if (text := given(name)) is not None}


def _number(name: str, given: Given) -> int | None:
    """Raises InvalidAction."""
    text = given(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidAction(f"{name}: this must be a whole number")
    return int(text)


def _reassign(given: Given) -> Mapping[str, Any]:
    user = given("assignee")
    return {"assignee_ids": [user] if user else []}


def _escalate(given: Given) -> Mapping[str, Any]:
    level = _number("escalation_level", given)
    policy = _taken("escalation_policy_id")(given)
    return policy if level is None else {**policy, "escalation_level": level}


def _snooze(given: Given) -> Mapping[str, Any]:
    seconds = _number("seconds", given)
    return {} if seconds is None else {"seconds": seconds}


def _responders(given: Given) -> Mapping[str, Any]:
    kinds = (("user", given("user")), ("escalation_policy", given("policy")))
    targets = [{"type": kind, "id": found} for kind, found in kinds if found]
    return {**_taken("message")(given), "targets": targets}


FORMS: Mapping[Action, ActionForm] = {
    Action.ACKNOWLEDGE: ActionForm(
        "Acknowledge", "Stops the escalation: you take care of it.", key="a", asks=False
    ),
    Action.RESOLVE: ActionForm(
        "Resolve",
        "Closes the incident for everybody. It can be reopened.",
        fields=(FormField("resolution", "How it was resolved", is_long=True),),
        arguments=_taken("resolution"),
        key="r",
    ),
    Action.ESCALATE: ActionForm(
        "Escalate",
        "Pages the people of another level now, or of another policy.",
        fields=(
            FormField("escalation_level", "Level", is_number=True, hint="1 is the first one"),
            FormField("escalation_policy_id", "Other escalation policy", source=POLICIES),
        ),
        arguments=_escalate,
        key="e",
    ),
    Action.REASSIGN: ActionForm(
        "Reassign",
        "Takes the incident from whoever has it and pages this person.",
        fields=(FormField("assignee", "Person", required=True, source=USERS),),
        arguments=_reassign,
    ),
    Action.SET_PRIORITY: ActionForm(
        "Priority",
        "Sets the incident's priority in PagerDuty.",
        fields=(FormField("priority_id", "Priority", required=True, source=PRIORITIES),),
        arguments=_taken("priority_id"),
    ),
    Action.SNOOZE: ActionForm(
        "Snooze",
        "Leaves it acknowledged for this long; then it triggers again.",
        fields=(
            FormField(
                "seconds",
                "For",
                required=True,
                choices=(
                    (str(15 * MINUTE), "15 minutes"),
                    (str(HOUR), "1 hour"),
                    (str(4 * HOUR), "4 hours"),
                    (str(8 * HOUR), "8 hours"),
                    (str(24 * HOUR), "24 hours"),
                ),
            ),
        ),
        arguments=_snooze,
    ),
    Action.REQUEST_RESPONDERS: ActionForm(
        "Add responders",
        "Asks these people to join, by a page of its own.",
        fields=(
            FormField("message", "Message", required=True, is_long=True),
            FormField("user", "Person", source=USERS),
            FormField("policy", "Escalation policy", source=POLICIES),
        ),
        arguments=_responders,
    ),
    Action.ADD_NOTE: ActionForm(
        "Add note",
        "Everybody who sees the incident reads it.",
        fields=(FormField("content", "Note", required=True, is_long=True),),
        arguments=_taken("content"),
        key="n",
        asks=False,
    ),
    Action.REOPEN: ActionForm(
        "Reopen", "Undoes the resolution: the incident is triggered again.", asks=False
    ),
}
