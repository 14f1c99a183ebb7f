"""Google's limits for sustainable on-call work. Pure.

Source: B. Beyer et al. (ed.), "Site Reliability Engineering" (2016), chapter 11: at most 25 % of the time on
call, at most two incidents per shift of 12 hours, and at least eight people for primary and secondary around
the clock at a single site, or six at each of two.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span, total_seconds, union
from calmo_pagerduty.snapshots.model import AccountSnapshot, Policy, Urgency
from calmo_pagerduty.statistics.poisson_rates import garwood_interval
from calmo_pagerduty.workload.people import OnCallTimes

HOUR = 3600
SHIFT_HOURS = 12
MAX_INCIDENTS_PER_SHIFT = 2.0
MAX_SHARE_ON_CALL = 0.25
_WEEK_HOURS = 168
#: A person at each of two sites takes part of the day only, and not fewer than six can cover for each other.
MIN_PEOPLE_PER_DUAL_SITE = 6


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """A policy beside Google's limits. Incidents are high-urgency ones; None where they are unknown."""

    policy: Policy
    levels: int
    people: int
    min_people: int
    incidents: int | None
    on_call_hours: float
    #: Incidents per 12 hours in which somebody is on call, with a 95 % interval (Garwood).
    incidents_per_shift: float | None
    low: float | None
    high: float | None

    @property
    def has_too_many_incidents(self) -> bool:
        """Over the limit beyond chance: even the interval's lower end is."""
        return self.low is not None and self.low > MAX_INCIDENTS_PER_SHIFT


def min_people(levels: int, weekly_hours: float, sites: int = 1) -> int:
    """Return how many people it takes at each site so that nobody is on call over 25 % of the time.

    `weekly_hours` are the hours per week in which each level has somebody. Two sites share the day.
    """
    needed = math.ceil(levels * weekly_hours / (_WEEK_HOURS * MAX_SHARE_ON_CALL) - 1e-9)
    if sites == 1:
        return needed
    return max(MIN_PEOPLE_PER_DUAL_SITE, math.ceil(needed / sites))


def share_on_call(seconds: int, window: Span) -> float | None:
    """Return the share of a window that somebody is on call; None for an empty window."""
    return seconds / window.seconds if window.seconds > 0 else None


def policy_limits(
    snapshot: AccountSnapshot, times: OnCallTimes, known: Span | None
) -> tuple[PolicyLimits, ...]:
    """Return every policy with a schedule beside the limits. `known` is where incidents are known."""
    counts = None if known is None else _count_incidents(snapshot, known)
    return tuple(
        _limits(policy, times, known, counts)
        for policy in snapshot.policies
        if any(target.id in times.by_schedule for rule in policy.rules for target in rule.targets)
    )


def _limits(
    policy: Policy, times: OnCallTimes, known: Span | None, counts: Mapping[str | None, int] | None
) -> PolicyLimits:
    levels, people, level_hours = [], set(), 0.0
    for rule in policy.rules:
        held = [times.by_schedule.get(target.id, {}) for target in rule.targets]
        spans = union(span for schedule in held for person in schedule.values() for span in person)
        if spans:
            levels.append(spans)
            level_hours += total_seconds(spans) / HOUR
            people |= {user_id for schedule in held for user_id in schedule}
    weeks = max(times.window.seconds, 1) / (_WEEK_HOURS * HOUR)
    covered = total_seconds(union(span for spans in levels for span in spans)) / HOUR
    count = None if counts is None else counts.get(policy.id, 0)
    # The incidents are those of the known part of the window, and so are the hours.
    hours = covered if known is None else covered * known.seconds / max(times.window.seconds, 1)
    rate = None if count is None or hours <= 0 else count / hours * SHIFT_HOURS
    interval = None if count is None or hours <= 0 else garwood_interval(count)
    return PolicyLimits(
        policy=policy,
        levels=len(levels),
        people=len(people),
        min_people=min_people(1, level_hours / weeks),
        incidents=count,
        on_call_hours=hours,
        incidents_per_shift=rate,
        low=None if interval is None else interval.low / hours * SHIFT_HOURS,
        high=None if interval is None else interval.high / hours * SHIFT_HOURS,
    )


def _count_incidents(snapshot: AccountSnapshot, known: Span) -> Mapping[str | None, int]:
    """Return how many incidents of high urgency each policy had, by its id."""
    policy_of = {service.id: service.policy_id for service in snapshot.services}
    policies = {
        incident.id: incident.policy_id or policy_of.get(incident.service_id)
        for incident in snapshot.incidents
        if incident.urgency is Urgency.HIGH and known.start <= incident.created_at < known.end
    }
    return Counter(policies.values())


def people_over_share(seconds_of: Sequence[tuple[str, int]], window: Span) -> Collection[str]:
    """Return the people on call for more than a quarter of a window."""
    return tuple(
        user_id
        for user_id, seconds in seconds_of
        if (share := share_on_call(seconds, window)) is not None and share > MAX_SHARE_ON_CALL + 1e-9
    )
