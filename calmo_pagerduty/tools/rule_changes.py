"""Says in words what changed between two versions of a connection's rules. Pure."""

from collections.abc import Iterator, Sequence

from calmo_pagerduty.tools.permissions import ConnectionRules, Switches

#: The fields of rules that hold one value each, and their names in words.
_FIELDS = (
    ("medium_after_untrusted", "writes of medium risk after foreign texts"),
    ("approval_hours", "hours to approve"),
    ("writes_per_hour", "writes an hour for each tool"),
)


def describe_changes(before: ConnectionRules | None, after: ConnectionRules) -> Sequence[str]:
    """Return a line for each change; none if nothing changed. `before` is None for new rules."""
    old = before or ConnectionRules()
    lines = [*_switch_changes("", old.switches, after.switches)]
    for team in sorted({*old.teams, *after.teams}):
        lines += _switch_changes(f"team {team}: ", old.teams.get(team, {}), after.teams.get(team, {}))
    lines += [f"writes of {risk} risk wait for approval" for risk in sorted(after.approve - old.approve)]
    lines += [
        f"writes of {risk} risk no longer wait for approval" for risk in sorted(old.approve - after.approve)
    ]
    for field, words in _FIELDS:
        was, is_now = getattr(old, field), getattr(after, field)
        if was != is_now:
            lines.append(f"{words}: {_text(was)} → {_text(is_now)}")
    for tool in sorted({*old.tool_writes_per_hour, *after.tool_writes_per_hour}):
        if old.cap(tool) != after.cap(tool):
            lines.append(f"writes an hour of {tool}: {old.cap(tool)} → {after.cap(tool)}")
    return lines


def _switch_changes(prefix: str, before: Switches, after: Switches) -> Iterator[str]:
    for selector in sorted({*before, *after}):
        was, is_now = before.get(selector), after.get(selector)
        if was != is_now:
            yield f"{prefix}{selector}: {was or 'default'} → {is_now or 'default'}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
