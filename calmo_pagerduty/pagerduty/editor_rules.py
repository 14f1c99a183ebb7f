"""What PagerDuty's web editor can load of a rotation's event: recurrence rules and turns. Pure.

The API takes more than the editor does. An event that the editor can't load could be changed by nobody there.
Source: PagerDuty's OpenAPI document, "UI editor constraints" of shift-based schedules (June 2026).
"""

EDITOR_FREQUENCIES = ("WEEKLY", "DAILY", "MONTHLY", "HOURLY")
_DAYS = frozenset({"MO", "TU", "WE", "TH", "FR", "SA", "SU"})


def rule_problems(rule: str, shifts_per_member: int | None) -> list[str]:
    """Return what the editor has against an `RRULE:…` line; [] if nothing.

    `shifts_per_member` is None if the members don't take turns.
    """
    pairs = [part.partition("=") for part in rule.partition(":")[2].split(";") if part]
    parts = {name.upper(): value.upper() for name, _, value in pairs}
    problems = []
    frequency = parts.get("FREQ", "")
    if frequency not in EDITOR_FREQUENCIES:
        problems.append(
            f"FREQ must be one of {', '.join(EDITOR_FREQUENCIES)}, not {frequency[:20] or 'nothing'}"
        )
    days = [day for day in parts.get("BYDAY", "").split(",") if day]
    if not set(days) <= _DAYS:
        problems.append("BYDAY must hold two-letter days, such as MO")
    if shifts_per_member is not None and frequency == "WEEKLY" and shifts_per_member % max(1, len(days)):
        problems.append(f"shifts_per_member ({shifts_per_member}) must be divisible by the {len(days)} days")
    return problems
