"""The tables of trends and capacity, as headings and texts of rows: pages and the CLI share them. Pure."""

from collections.abc import Callable, Sequence

from calmo_pagerduty.kernel.json_values import JsonObject

UNKNOWN = "unknown"
#: Each column's heading, and the text of a row.
Columns = Sequence[tuple[str, Callable[[JsonObject], str]]]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def figure(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """Return `3.2 (2.9 to 3.6)`."""
    if value is None or interval is None:
        return figure(value)
    return f"{figure(value)} ({figure(interval[0])} to {figure(interval[1])})"


def verdict_text(row: JsonObject) -> str:
    """Return the verdict with the adjusted p-value, or why there is none."""
    if row["adjusted_p_value"] is None:
        return f"{row['verdict']}: {row['reason']}" if row["reason"] else str(row["verdict"])
    return f"{row['verdict']} (q = {row['adjusted_p_value']:.2g})"


def growth_text(row: JsonObject) -> str:
    if row["growth_in_4_weeks"] is None:
        return UNKNOWN
    return f"× {with_interval(row['growth_in_4_weeks'], row['growth_interval'])}"


def changes_text(row: JsonObject) -> str:
    changes = [
        f"{change['at'][:10]}: {figure(change['before'])} to {figure(change['after'])} a week"
        for change in row["changes"]
    ]
    return "; ".join(changes) or "none"


def dispersion_text(row: JsonObject) -> str:
    dispersion = row["dispersion"]
    if dispersion is None:
        return UNKNOWN
    words = "Poisson's is not rejected" if dispersion["is_poisson"] else "bursts"
    return f"{figure(dispersion['ratio'])}, {words} (p = {dispersion['p_value']:.2g})"


def season_text(row: JsonObject) -> str:
    season = row["season"]
    if season is None or season["is_patterned"] is None:
        return "insufficient data"
    if not season["is_patterned"]:
        return "no pattern"
    day, hour = divmod(season["busiest_hour_of_week"], 24)
    low, high = season["busiest_interval"]
    return f"{DAYS[day]} {hour:02}-{hour + 4:02}: {season['busiest_share']:.0%} ({low:.0%} to {high:.0%})"


def rise_text(row: JsonObject) -> str:
    rise = row["rise"]
    if rise is None:
        return "insufficient data"
    rate = f"a false alarm every {figure(rise['false_alarm_every_days'])} days"
    if not rise["alarms"]:
        return f"no alarm ({rate})"
    count = f"{rise['watched_incidents']} in {rise['watched_days']} days"
    return f"alarm on {rise['alarms'][-1][:10]}: {count} ({rate})"


def forecast_text(forecast: JsonObject) -> str:
    """Return the forecast with its interval, or why it isn't shown."""
    if not forecast["is_shown"]:
        return f"not shown: {forecast['reason']}"
    low, high = forecast["interval"]
    return f"{forecast['median']} (80 %: {low} to {high}), any: {forecast['at_least_one']:.0%}"


def coverage_text(forecast: JsonObject) -> str:
    if forecast["coverage"] is None:
        return UNKNOWN
    return f"{forecast['coverage']:.0%} of {forecast['back_tests']}"


def limit_text(row: JsonObject) -> str:
    """Return when the limit is reached, or why there is no date."""
    reached = row["limit_reached"]
    if reached["expected"] is None:
        return str(reached["words"])
    latest = "perhaps never" if reached["latest"] is None else reached["latest"][:10]
    return f"{reached['expected'][:10]} ({reached['earliest'][:10]} to {latest})"


def busy_text(row: JsonObject) -> str:
    busy = row["busy"]
    if busy["probability"] is None:
        return f"{UNKNOWN}: {busy['reason']}"
    return f"{busy['probability']:.1%} with {busy['responders']}; {busy['responders_needed']} needed for 5 %"


def engaged_text(row: JsonObject) -> str:
    if row["engaged_hours"] is None:
        return UNKNOWN
    return f"{figure(row['engaged_hours'])} h (n = {row['engaged_incidents']})"


def _name(row: JsonObject) -> str:
    return str(row["name"])


TEAM_COLUMNS: Columns = (
    ("Name", _name),
    ("n", lambda row: str(row["incidents"])),
    ("Per week (95 %)", lambda row: with_interval(row["per_week"], row["interval"])),
    ("Trend", verdict_text),
    ("In 4 weeks (95 %)", growth_text),
    ("Changed", changes_text),
    ("Variance / mean", dispersion_text),
)
TREND_COLUMNS: Columns = (*TEAM_COLUMNS, ("Rise", rise_text), ("Busiest hours", season_text))
FORECAST_COLUMNS: Columns = (
    ("Name", _name),
    ("Of", lambda row: str(row["horizon"])),
    ("Incidents", forecast_text),
    ("In the 80 % interval", coverage_text),
)
CAPACITY_COLUMNS: Columns = (
    ("Name", _name),
    ("n", lambda row: figure(row["incidents"])),
    ("Per shift (95 %)", lambda row: with_interval(row["incidents_per_shift"], row["interval"])),
    ("Limit of 2 reached", limit_text),
    ("People", lambda row: f"{row['people']} of {row['people_needed']} needed"),
    ("Over a quarter", lambda row: f"{row['people_over_a_quarter']} people"),
    ("All busy", busy_text),
    ("Next shift", lambda row: forecast_text(row["next_shift"])),
)
BURDEN_COLUMNS: Columns = (
    ("Name", _name),
    ("Incidents", lambda row: f"{row['incidents']} in {row['days']} days"),
    ("High urgency", lambda row: str(row["high_urgency"])),
    ("Per week (95 %)", lambda row: with_interval(row["per_week"], row["interval"])),
    ("Engaged", engaged_text),
    ("Alerts", lambda row: figure(row["alerts"])),
)
