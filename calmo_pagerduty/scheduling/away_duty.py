"""Who would be on call while away by an imported calendar, before and after a scenario. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from calmo_pagerduty.kernel.intervals import Span, intersect
from calmo_pagerduty.scheduling.applying import Applied
from calmo_pagerduty.workload.people import OnCallTimes


class AwayDuty(NamedTuple):
    """A person's times on call while away, as disjoint spans of epoch seconds (UTC)."""

    user_id: str
    before: tuple[Span, ...]
    after: tuple[Span, ...]


def away_duties(applied: Applied) -> tuple[AwayDuty, ...] | None:
    """Return everybody who is on call while away on either side, in the order of ids.

    None: no calendars were looked at, so nobody is known to be away.
    """
    if applied.before.absences is None:
        return None
    away = applied.before.away()
    before, after = (
        _away_on_call(OnCallTimes(side, applied.window).by_person, away)
        for side in (applied.before, applied.after)
    )
    return tuple(AwayDuty(id, before.get(id, ()), after.get(id, ())) for id in sorted({*before, *after}))


def _away_on_call(
    on_call: Mapping[str, Sequence[Span]], away: Mapping[str, Sequence[Span]]
) -> dict[str, tuple[Span, ...]]:
    found = {user_id: tuple(intersect(on_call.get(user_id, ()), spans)) for user_id, spans in away.items()}
    return {user_id: spans for user_id, spans in found.items() if spans}
