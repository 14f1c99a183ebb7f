"""Forms for what-if questions and for optimising: their fields, and the documents that they ask with. Pure.

Times are local times of the zone that the form names. People, schedules and policies are chosen by id.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.datastructures import ImmutableMultiDict

from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest
from calmo_pagerduty.scheduling.scenarios import Scenario, parse_scenario
from ingress.dashboard.local_times import local_moment

#: What was entered: the address's parameters, or a form's fields.
Given = ImmutableMultiDict[str, Any]
Json = dict[str, Any]

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Field(NamedTuple):
    """A field. `kind` says how it is drawn, by `templates/form_fields.html`, and how its text is read.

    `person`, `schedule` and `policy` are chosen from a list; `people`, `schedules` and `weekdays` hold
    several; `list` is text with commas; `yes` is a box to tick.
    """

    name: str
    label: str
    kind: str
    required: bool = False
    hint: str = ""


class ScenarioForm(NamedTuple):
    """A kind of change, in the words of a person."""

    type: str
    word: str
    about: str
    fields: tuple[Field, ...]


class Row(NamedTuple):
    """A rule of a person and a time, of which a request may have several. `fields` follow each other."""

    name: str
    legend: str
    hint: str
    fields: tuple[Field, ...]


FORMS: Sequence[ScenarioForm] = (
    ScenarioForm(
        "leaver", "Somebody leaves",
        "No layer, rotation, override or policy has the person any more; turns go on with whoever is next.",
        (Field("user", "Who", "person", True), Field("at", "Leaves", "moment", True)),
    ),
    ScenarioForm(
        "joiner", "Somebody joins",
        "Last in the order, or after somebody. Whoever has the present turn keeps it.",
        (
            Field("user", "Who", "person", hint="Or a new person:"),
            Field("new_user", "New person's name", "text"),
            Field("time_zone", "New person's zone", "text", hint="Such as Europe/Berlin"),
            Field("schedule", "Schedule", "schedule", True),
            Field("part", "Layer or rotation", "text", hint="If the schedule has several: its name"),
            Field("after", "After whom", "person"),
            Field("at", "Joins", "moment", True),
        ),
    ),
    ScenarioForm(
        "time_off", "Time off",
        "The person's time on call is empty, or the cover's, on all schedules.",
        (
            Field("user", "Who", "person", True),
            Field("start", "From", "moment", True),
            Field("end", "Until", "moment", True),
            Field("cover", "Cover", "person"),
        ),
    ),
    ScenarioForm(
        "new_rotation", "New rotation",
        "Above what the schedule has, or instead of it.",
        (
            Field("schedule", "Schedule", "schedule", True),
            Field("users", "People", "list", True, "Names in the order of turns, with commas between"),
            Field("start", "Begins", "moment", True),
            Field("turn_days", "Days of a turn", "number", hint="Default: 7"),
            Field("from_clock", "Daily from", "clock", hint="Empty: all day"),
            Field("to_clock", "Daily until", "clock"),
            Field("days", "On", "weekdays"),
            Field("replaces", "Instead of all that the schedule has", "yes"),
        ),
    ),
    ScenarioForm(
        "policy", "Policy or delay",
        "A level waits longer or shorter, pages others, is added or removed.",
        (
            Field("policy", "Policy", "policy", True),
            Field("level", "Level", "number", hint="The number after the last adds one"),
            Field("delay_minutes", "Minutes until the next level", "number"),
            Field("targets", "Pages", "list", hint="People or schedules by name, with commas between"),
            Field("num_loops", "Repeats", "number"),
            Field("remove", "Remove the level", "yes"),
        ),
    ),
    ScenarioForm(
        "clock_change", "Clock change",
        "Before is as if the clock stayed as it is, after is what will be.",
        (Field("schedule", "Schedule", "schedule", hint="Empty: all that a clock change concerns"),),
    ),
    ScenarioForm(
        "holiday", "Holiday",
        "The day's hours count as holiday. Closed schedules have nobody.",
        (
            Field("day", "Day", "date", True),
            Field("name", "Its name", "text"),
            Field("closed", "Closed schedules", "schedules"),
        ),
    ),
)  # fmt: skip

_WHO_AND_WHEN = (
    Field("user", "Who", "person"),
    Field("start", "From", "moment"),
    Field("end", "Until", "moment"),
)
_PRICE = Field("price", "Price", "number")
OPTIMISE_FIELDS = (
    Field("schedule", "Schedule", "schedule", True),
    Field("days", "Shifts of the coming days", "number", hint="1 to 90; default 56"),
    Field("min_rest_hours", "Least rest, hours", "number", hint="Default: 11"),
    Field("max_weekends", "Most weekends each", "number"),
    Field("max_hours", "Most hours each", "number"),
    Field("without", "Leave out", "people"),
)
WEIGHT_FIELDS = (
    Field("business_weight", "Weight of business hours", "number", hint="Default: 1"),
    Field("off_weight", "Weight of off hours", "number", hint="Default: 1.5"),
    Field("sleep_weight", "Weight of 22 to 8", "number", hint="Default: 2"),
    Field("change_price", "Price of each changed shift", "number", hint="Default: 0.5"),
)
ROWS = (
    Row("away", "Can't be on call", "Imported calendars count by themselves.", _WHO_AND_WHEN),
    Row("keep", "Keeps the shifts that begin in this time", "", _WHO_AND_WHEN),
    Row(
        "wishes", "Wishes", "A wish may be broken at its price, in points of unfairness. Default: 5.",
        (*_WHO_AND_WHEN, Field("wants", "Wants to be on call then", "choice"), _PRICE),
    ),
    Row(
        "pairs", "Pairs", "Whose shifts should begin together, or never. Without a price it is a must.",
        (
            Field("first", "One", "person"),
            Field("second", "The other", "person"),
            Field("together", "Together", "choice"),
            _PRICE,
        ),
    ),
)  # fmt: skip
#: More rows of a rule than these are not read.
MAX_ROWS = 40


def form_of(kind: str | None) -> ScenarioForm:
    """Return the form of a kind of change; the first one for an unknown kind."""
    return next((form for form in FORMS if form.type == kind), FORMS[0])


def scenario_of(form: ScenarioForm, given: Given, zone: ZoneInfo, name: str) -> Scenario:
    """Return the scenario that was entered. Raises ScenarioInvalid, ResourceNotFound for what is no time."""
    change: Json = {"type": form.type, **_values(form.fields, given, zone)}
    document: Json = {"name": name, "changes": [change]}
    if days := _text(given, "window_days"):
        document["days"] = days
    return parse_scenario(document)


def request_of(given: Given, zone: ZoneInfo) -> OptimiseRequest:
    """Return the request that was entered. Raises ValidationError, ResourceNotFound for what is no time."""
    rules = {row.name: [_values_of(filled, zone) for filled in filled_rows(row, given)] for row in ROWS}
    entered = {**_values((*OPTIMISE_FIELDS, *WEIGHT_FIELDS), given, zone), **rules}
    return OptimiseRequest.model_validate({**entered, "with_history": "without_history" not in given})


def filled_rows(row: Row, given: Given) -> list[dict[Field, str]]:
    """Return what was entered for each row of a rule in which the first field is filled."""
    columns = [given.getlist(f"{row.name}.{field.name}")[:MAX_ROWS] for field in row.fields]
    return [
        {field: str(text).strip() for field, text in zip(row.fields, texts, strict=False)}
        for texts in zip(*columns, strict=False)
        if str(texts[0]).strip()
    ]


def _values_of(filled: Mapping[Field, str], zone: ZoneInfo) -> Json:
    return {field.name: _value(field, text, zone) for field, text in filled.items() if text}


def _values(fields: Sequence[Field], given: Given, zone: ZoneInfo) -> Json:
    """Return the values of the fields in which something was entered."""
    values: Json = {}
    for field in fields:
        if field.kind in {"people", "schedules", "weekdays"}:
            values[field.name] = [str(item) for item in given.getlist(field.name) if item]
        elif text := _text(given, field.name):
            values[field.name] = _value(field, text, zone)
    return values


def _value(field: Field, text: str, zone: ZoneInfo) -> Any:
    if field.kind == "moment":
        moment = local_moment(text, zone)
        assert isinstance(moment, datetime)  # the text is not empty
        return moment.isoformat()
    if field.kind in {"yes", "choice"}:
        return text == "yes"
    if field.kind == "list":
        return [part for item in text.split(",") if (part := item.strip())]
    return text


def _text(given: Given, name: str) -> str:
    return str(given.get(name) or "").strip()
