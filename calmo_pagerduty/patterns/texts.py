"""The tables of patterns, as headings and texts of rows: pages and the CLI share them. Pure."""

from collections.abc import Callable, Mapping, Sequence

from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.json_values import JsonObject

#: Each column's heading, and the text of a row.
Columns = Sequence[tuple[str, Callable[[JsonObject], str]]]


def kind_text(row: JsonObject) -> str:
    """Return which incidents a row is about."""
    return "all of the service" if row["kind"] is None else f"like #{row['like']['number']}"


def share_text(row: JsonObject) -> str:
    """Return `2 of 30: 7 % (2 % to 21 %)`."""
    low, high = row["interval"] or (0.0, 1.0)
    share = row["actionable_share"]
    return f"{row['actionable']} of {row['incidents']}: {share:.0%} ({low:.0%} to {high:.0%})"


def half_text(row: JsonObject) -> str:
    half = row["second_half"]
    if half is None:
        return "the first half alone speaks for none"
    return f"{half['avoided']} of {half['incidents']} avoided"


def _pause_setting(row: JsonObject) -> str:
    where = "service setting" if row["kind"] is None else "orchestration rule"
    return f"{where}, {format_duration(row['seconds'])}"


def _grouping_setting(row: JsonObject) -> str:
    chosen = row["chosen"]
    words = "content-based" if chosen["type"] == "content_based" else "time-based"
    return f"{words}, {format_duration(chosen['seconds'])}"


def _avoided(row: JsonObject) -> str:
    return f"{row['chosen']['avoided_pages']} of your last {row['pages_of_the_account']}"


def _name(row: JsonObject) -> str:
    return str(row["name"])


def people_text(row: JsonObject) -> str:
    """Return who resolved the group's incidents, as far as the reader may see."""
    named = [f"{who['name']} ({who['incidents']})" for who in row["resolved_by"][:3]]
    hidden = row["people"] - len(row["resolved_by"])
    words = [*named, *([f"{count_text(hidden, 'person', 'people')} not shown"] if hidden else [])]
    words += [f"by itself ({row['healed']})"] if row["healed"] else []
    return ", ".join(words) or "nobody yet"


def lasted_text(row: JsonObject) -> str:
    """Return the median and the 90 % quantile with their number."""
    if row["median_seconds"] is None:
        return "none is resolved"
    median, slow = format_duration(row["median_seconds"]), format_duration(row["slow_seconds"])
    return f"{median}, 90 %: {slow} (n = {row['resolved']})"


def _avoidable(row: JsonObject) -> str:
    return f"{row['avoidable_pages']} of your last {row['pages_of_the_account']}"


def _handed(row: JsonObject) -> str:
    low, high = row["interval"]
    return f"{row['handed']} of {row['of']} ({low:.0%} to {high:.0%})"


def _went_on(row: JsonObject) -> str:
    low, high = row["interval"]
    return f"{row['escalated']} of {row['incidents']} ({low:.0%} to {high:.0%})"


def _ways(row: JsonObject) -> str:
    ways = (
        f"{way['way']} {count_text(way['count'], 'time')}, after {format_duration(way['median_seconds'])}"
        for way in row["ways"]
    )
    return "; ".join(ways) or "none went on"


def _passages(row: JsonObject) -> str:
    passages = (
        f"{', '.join(passage['from'])} to {', '.join(passage['to'])} ({passage['count']},"
        f" {format_duration(passage['median_seconds'])})"
        for passage in row["passages"][:3]
    )
    return "; ".join(passages) or "no persons to show"


FLAPPING_COLUMNS: Columns = (
    ("Service", _name),
    ("Alerts", kind_text),
    ("Spells", lambda row: str(row["spells"])),
    ("Cycles", lambda row: str(row["cycles"])),
    ("Pages", lambda row: str(row["pages"])),
    ("Last", lambda row: str(row["last_at"])[:16].replace("T", " ")),
)
PAUSE_COLUMNS: Columns = (
    ("Service", _name),
    ("Alerts", kind_text),
    ("Setting", _pause_setting),
    ("Pages avoided", _avoided),
    ("Pages delayed", lambda row: str(row["chosen"]["delayed_pages"])),
    ("Acted on", lambda row: f"{row['chosen']['acted_on']} of {row['incidents']}"),
    ("In the second half", half_text),
)
NOISE_COLUMNS: Columns = (
    ("Service", _name),
    ("Pages", lambda row: str(row["pages"])),
    ("Cumulative", lambda row: f"{row['cumulative_share']:.0%}"),
    ("Actionable (95 %)", share_text),
    ("Noisy", lambda row: "noisy" if row["is_noisy"] else "no"),
    ("Pages nobody acted on", lambda row: str(row["quiet_pages"])),
)
GROUPING_COLUMNS: Columns = (
    ("Service", _name),
    ("Setting", _grouping_setting),
    ("Incidents joined", lambda row: f"{row['chosen']['joined']} of {row['incidents']}"),
    ("Pages avoided", _avoided),
    ("Would be hidden", lambda row: str(row["chosen"]["hidden"])),
)
RECURRING_COLUMNS: Columns = (
    ("Service", _name),
    ("What", lambda row: str(row["title"] or kind_text(row))),
    ("Incidents", lambda row: f"{row['incidents']} of {row['of']}"),
    ("Resolved by", people_text),
    ("How", lambda row: "; ".join(way["text"] for way in row["resolutions"][:2]) or "not known"),
    ("How long", lasted_text),
    ("Avoidable pages", _avoidable),
)
MISROUTING_COLUMNS: Columns = (
    ("Service", _name),
    ("Handed to", lambda row: str(row["policy"])),
    ("Incidents (95 %)", _handed),
    ("After", lambda row: format_duration(row["median_seconds"])),
    ("Pages avoided", _avoidable),
)
ESCALATION_COLUMNS: Columns = (
    ("Team", _name),
    ("Incidents that went on (95 %)", _went_on),
    ("How", _ways),
    ("From whom to whom", _passages),
)
#: The parts of the report: the document's field, the caption, the columns and what an empty part means.
PARTS: Mapping[str, tuple[str, Columns, str]] = {
    "auto_pause": (
        "Pauses worth setting",
        PAUSE_COLUMNS,
        "No pause would have spared pages without delaying incidents on which people act.",
    ),
    "flapping": ("Flapping alerts", FLAPPING_COLUMNS, "Nothing flapped."),
    "noise": ("Noise", NOISE_COLUMNS, "There were no incidents."),
    "alert_grouping": (
        "Alert grouping",
        GROUPING_COLUMNS,
        "No grouping would have joined incidents without hiding some.",
    ),
    "recurring": ("Recurring incidents", RECURRING_COLUMNS, "No kind came three times."),
    "misrouting": ("Misrouting", MISROUTING_COLUMNS, "No service's incidents are handed on again and again."),
    "escalations": ("Escalations by team", ESCALATION_COLUMNS, "No team had incidents."),
}
