"""On-call debt: what each person bore more or less than the target, carried from period to period. Pure.

The ledger is data: it stands in each report, and the next report may begin with it. A positive balance means
that the others owe the person hours. Balances of a pool sum to zero, as far as its members bore the hours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.statistics.fairness import leximax_key
from calmo_pagerduty.workload.people import OnCallTimes, people_of
from calmo_pagerduty.workload.pools import Pool, memberships, pool_of

#: (schedule id, user id) → seconds above (positive) or below the target.
Balances = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Balances up to `until` (epoch seconds, UTC), and since when they were kept."""

    since: int
    until: int
    balances: Balances

    def of_person(self, schedule_id: str, user_id: str) -> float:
        return self.balances.get((schedule_id, user_id), 0.0)


def begin(at: int) -> Ledger:
    """Return a ledger without debts."""
    return Ledger(at, at, {})


def carry(ledger: Ledger, pools: Iterable[Pool], until: int) -> Ledger:
    """Add what was borne in pools whose window begins where the ledger ends.

    Who left a pool keeps no balance there: nobody can pay it back.
    """
    balances: dict[tuple[str, str], float] = {}
    for pool in pools:
        for share in pool.shares:
            key = (pool.schedule.id, share.person.user_id)
            balances[key] = ledger.balances.get(key, 0.0) + share.seconds - share.target_seconds
    return replace(ledger, until=until, balances=dict(sorted(balances.items())))


def ledger_of(snapshots: Sequence[AccountSnapshot], now: int) -> Ledger:
    """Keep the ledger over the past that snapshots cover, oldest first, up to `now`.

    Each snapshot tells of the time from where the last one ended (or it was rendered) to when it was taken.
    """
    ordered = sorted(snapshots, key=lambda snapshot: (snapshot.taken_at, snapshot.id))
    first = ordered[0].rendered_since if ordered else now
    ledger = begin(min(first, now))
    for index, snapshot in enumerate(ordered):
        last = index == len(ordered) - 1
        until = min(now, snapshot.rendered_until if last else snapshot.taken_at)
        since = max(ledger.until, snapshot.rendered_since)
        if since < until:
            ledger = carry(ledger, pools_in(snapshot, Span(since, until)), until)
    return ledger


def pools_in(snapshot: AccountSnapshot, window: Span) -> tuple[Pool, ...]:
    """Return the pools of all rendered schedules within a window."""
    times = OnCallTimes(snapshot, window)
    ids = set(times.by_person)
    for schedule in snapshot.schedules:
        ids |= {member.user_id for member in memberships(schedule, times.window)}
    people = people_of(snapshot, ids)
    pools = (pool_of(schedule, times, people) for schedule in snapshot.schedules)
    return tuple(pool for pool in pools if pool is not None)


def least_loaded_first(loads: Mapping[str, float]) -> tuple[str, ...]:
    """Return people in the order in which another hour is fairest by leximax: the least loaded first.

    To give an hour to the least loaded gives the smallest leximax key; equal loads stand in order of ids.
    """
    return tuple(sorted(loads, key=lambda user_id: (loads[user_id], user_id)))


def fairer(left: Sequence[float], right: Sequence[float]) -> bool:
    """Tell whether the loads on the left are fairer than those on the right, by leximax."""
    return leximax_key(left) < leximax_key(right)
