"""The renderer's proof: before it may be asked "what if", it must give PagerDuty's own entries. Pure.

Without the proof a scenario would compare PagerDuty's present with our mistakes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.scheduling.rendering import INTERPRETATIONS, Interpretation, render
from calmo_pagerduty.snapshots.model import AccountSnapshot, Schedule
from calmo_pagerduty.snapshots.on_call import Shift, shifts_of

#: How much of the past the renderer must reproduce.
PROOF_DAYS = 30
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Difference:
    """The first time in which the two disagree: ids of who is on call, by PagerDuty and by us."""

    start: int
    end: int
    pagerduty: tuple[str, ...]
    ours: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """`interpretation` is how to render the schedule; None if none gives PagerDuty's entries.

    Then `difference` is the first one of the likeliest interpretation, or `reason` says why there is none.
    """

    schedule_id: str
    window: Span
    interpretation: Interpretation | None
    difference: Difference | None = None
    reason: str = ""


def proof_window(snapshot: AccountSnapshot) -> Span:
    """Return what is compared: the past 30 days, and all that PagerDuty has rendered of the future."""
    return Span(max(snapshot.rendered_since, snapshot.taken_at - PROOF_DAYS * _DAY), snapshot.rendered_until)


def prove(schedule: Schedule, window: Span) -> Proof:
    """Compare our rendering with PagerDuty's own entries of the schedule in the window.

    Where PagerDuty splits the time of one person makes no difference; who is on call does, at every second.
    Entries of a continued schedule that are our own prove nothing.
    """
    if schedule.entries is None:
        return Proof(schedule.id, window, None, reason="PagerDuty's own entries could not be read")
    if schedule.continued_from is not None:
        window = Span(window.start, min(window.end, schedule.continued_from))
    theirs = shifts_of(schedule.entries, window)
    first: Difference | None = None
    for interpretation in INTERPRETATIONS[schedule.kind]:
        try:
            ours = shifts_of(render(schedule, window, interpretation), window)
        except ExplainedError as error:
            return Proof(schedule.id, window, None, reason=str(error))
        difference = _first_difference(theirs, ours)
        if difference is None:
            return Proof(schedule.id, window, interpretation)
        first = first or difference
    return Proof(schedule.id, window, None, difference=first)


def describe(proof: Proof, schedule: Schedule, names: Mapping[str, str]) -> str:
    """Return a sentence that says why what-if is refused, in names and local times; "" if it isn't."""
    if proof.interpretation is not None:
        return ""
    difference = proof.difference
    if difference is None:
        return f"{schedule.name}: {proof.reason}"
    zone = time_zone(schedule.time_zone)

    def local(at: int) -> str:
        return f"{datetime.fromtimestamp(at, zone):%a %Y-%m-%d %H:%M}"

    def people(ids: tuple[str, ...]) -> str:
        return " and ".join(names.get(user_id, user_id) for user_id in ids) or "nobody"

    return (
        f"{schedule.name}: from {local(difference.start)} to {local(difference.end)} ({schedule.time_zone})"
        f" PagerDuty has {people(difference.pagerduty)} on call, our rendering has {people(difference.ours)}"
    )


def _first_difference(theirs: tuple[Shift, ...], ours: tuple[Shift, ...]) -> Difference | None:
    if theirs == ours:
        return None
    left = right = 0
    while left < len(theirs) and right < len(ours):
        their, our = theirs[left], ours[right]
        if their.user_ids != our.user_ids:
            start, end = max(their.start, our.start), min(their.end, our.end)
            return Difference(start, end, their.user_ids, our.user_ids)
        left, right = left + (their.end <= our.end), right + (our.end <= their.end)
    return None
