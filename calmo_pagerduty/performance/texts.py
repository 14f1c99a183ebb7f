"""The tables of performance, as headings and texts of rows: pages, reports and the CLI share them. Pure."""

from collections.abc import Callable, Sequence

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.json_values import JsonObject

UNKNOWN = "unknown"
Columns = Sequence[tuple[str, Callable[[JsonObject], str]]]


def seconds_text(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else format_duration(seconds)


def quantile_text(quantile: JsonObject) -> str:
    """Return `6 min (4 min to 9 min)`; an end that is not known is `?`."""
    if quantile["seconds"] is None:
        return "not yet known"
    low, high = ("?" if end is None else format_duration(end) for end in quantile["interval"])
    return f"{format_duration(quantile['seconds'])} ({low} to {high})"


def counts_text(speed: JsonObject) -> str:
    """Return `40 of 43`: events of incidents."""
    return f"{speed['events']} of {speed['n']}"


def compared_text(speed: JsonObject) -> str:
    """Return the verdict, with the false discovery rate at which it would just count."""
    compared = speed["compared"]
    if compared["adjusted_p_value"] is None:
        return str(compared["verdict"])
    return f"{compared['verdict']} (q = {compared['adjusted_p_value']:.2g})"


def share_text(share: JsonObject) -> str:
    """Return `12 of 40, 30 % (18 to 45)`."""
    if share["share"] is None:
        return UNKNOWN if share["count"] is None else "none of 0"
    low, high = (round(100 * end) for end in share["interval"])
    return f"{share['count']} of {share['of']}, {round(100 * share['share'])} % ({low} to {high})"


def _speed_columns(milestone: str) -> Columns:
    return (
        ("Name", lambda row: str(row["name"])),
        ("n", lambda row: counts_text(row[milestone])),
        ("Median", lambda row: quantile_text(row[milestone]["median"])),
        ("90 % within", lambda row: quantile_text(row[milestone]["p90"])),
        ("Median before", lambda row: seconds_text(row[milestone]["before"]["median"]["seconds"])),
        ("n before", lambda row: counts_text(row[milestone]["before"])),
        ("Compared", lambda row: compared_text(row[milestone])),
    )


ACKNOWLEDGE_COLUMNS: Columns = _speed_columns("acknowledge")
RESOLVE_COLUMNS: Columns = _speed_columns("resolve")
SHARE_COLUMNS: Columns = (
    ("Name", lambda row: str(row["name"])),
    ("Incidents", lambda row: str(row["incidents"])),
    ("Before", lambda row: str(row["incidents_before"])),
    ("Acknowledged", lambda row: share_text(row["shares"]["acknowledged"])),
    ("Resolved by itself", lambda row: share_text(row["shares"]["auto_resolved"])),
    ("Escalated by timeout", lambda row: share_text(row["shares"]["escalated_by_timeout"])),
    ("Reassigned", lambda row: share_text(row["shares"]["reassigned"])),
)


def _count(name: str) -> Callable[[JsonObject], str]:
    return lambda row: UNKNOWN if row["pagerduty"][name] is None else str(row["pagerduty"][name])


def _duration(name: str) -> Callable[[JsonObject], str]:
    return lambda row: seconds_text(row["pagerduty"][name])


def _up_time(row: JsonObject) -> str:
    share = row["pagerduty"]["up_time_pct"]
    return UNKNOWN if share is None else f"{share:g} %"


PAGERDUTY_COLUMNS: Columns = (
    ("Name", lambda row: str(row["name"])),
    ("Mean to first ack", _duration("mean_seconds_to_first_ack")),
    ("Mean to resolve", _duration("mean_seconds_to_resolve")),
    ("Engaged time", _duration("total_engaged_seconds")),
    ("Interruptions", _count("total_interruptions")),
    ("In sleep hours", _count("total_sleep_hour_interruptions")),
    ("Escalations", _count("total_escalation_count")),
    ("Up time", _up_time),
)
#: The tables of a performance, by their names.
TABLES: dict[str, tuple[str, Columns]] = {
    "acknowledge": ("Time to acknowledge", ACKNOWLEDGE_COLUMNS),
    "resolve": ("Time to resolve", RESOLVE_COLUMNS),
    "shares": ("What became of incidents", SHARE_COLUMNS),
    "pagerduty": ("PagerDuty's own metrics", PAGERDUTY_COLUMNS),
}
