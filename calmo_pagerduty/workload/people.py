"""Who is on call when, person by person: what all figures of workload rest on. Pure.

Times are epoch seconds (UTC). Shadow rotations don't count: their people watch and are not paged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span, clip, intersect, union
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import AccountSnapshot, Schedule, TargetKind, User
from calmo_pagerduty.snapshots.on_call import paged_entries

_UTC = ZoneInfo("Etc/UTC")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be on call. `is_zone_known` is False if UTC stands in for an unknown zone."""

    user_id: str
    name: str
    zone: ZoneInfo
    is_zone_known: bool
    html_url: str | None = None
    team_ids: tuple[str, ...] = ()
    #: False if a complete list of users lacks this one: deleted, as far as we know.
    is_known: bool = True


class OnCallTimes:
    """A snapshot's times on call within a window, by schedule and person."""

    def __init__(self, snapshot: AccountSnapshot, window: Span) -> None:
        self.snapshot = snapshot
        #: Cut to what PagerDuty rendered.
        self.window = Span(
            max(window.start, snapshot.rendered_since),
            max(min(window.end, snapshot.rendered_until), window.start, snapshot.rendered_since),
        )

    @cached_property
    def by_schedule(self) -> Mapping[str, Mapping[str, tuple[Span, ...]]]:
        """Disjoint times per schedule and person. A schedule that wasn't rendered is absent."""
        times: dict[str, dict[str, tuple[Span, ...]]] = {}
        for schedule in self.snapshot.schedules:
            entries = paged_entries(schedule)
            if entries is None:
                continue
            spans: dict[str, list[Span]] = {}
            for entry in entries:
                spans.setdefault(entry.user_id, []).append(Span(entry.start, entry.end))
            within = {user_id: tuple(clip(union(held), self.window)) for user_id, held in spans.items()}
            times[schedule.id] = {user_id: held for user_id, held in sorted(within.items()) if held}
        return times

    @cached_property
    def _held(self) -> Mapping[str, tuple[tuple[Span, ...], ...]]:
        """Each person's times, a tuple for each schedule."""
        held: dict[str, list[tuple[Span, ...]]] = {}
        for _, people in sorted(self.by_schedule.items()):
            for user_id, spans in people.items():
                held.setdefault(user_id, []).append(spans)
        return {user_id: tuple(times) for user_id, times in sorted(held.items())}

    @cached_property
    def by_person(self) -> Mapping[str, tuple[Span, ...]]:
        """Disjoint times on call by any schedule, per person."""
        return {
            user_id: tuple(union(span for spans in times for span in spans))
            for user_id, times in self._held.items()
        }

    @cached_property
    def double_duty(self) -> Mapping[str, tuple[Span, ...]]:
        """Disjoint times on call by two schedules or more at once, per person."""
        return {user_id: tuple(self._twice(user_id)) for user_id in self.by_person}

    @cached_property
    def unrendered(self) -> tuple[Schedule, ...]:
        """Schedules whose entries are unknown."""
        return tuple(schedule for schedule in self.snapshot.schedules if schedule.entries is None)

    def _twice(self, user_id: str) -> list[Span]:
        seen: list[Span] = []
        twice: list[Span] = []
        for spans in self._held[user_id]:
            twice += intersect(seen, spans) if seen else []
            seen = union([*seen, *spans])
        return union(twice)


def people_of(snapshot: AccountSnapshot, user_ids: set[str]) -> dict[str, Person]:
    """Return these people by id, in the order of ids. Who has no zone lives in the account's, else in UTC."""
    users = {user.id: user for user in snapshot.users}
    account = time_zone(snapshot.time_zone)
    return {user_id: _person(user_id, users.get(user_id), account) for user_id in sorted(user_ids)}


def level_1_schedules(snapshot: AccountSnapshot) -> dict[str, tuple[str, ...]]:
    """Return the ids of the schedules on the first level, by policy."""
    return {
        policy.id: tuple(
            target.id
            for rule in policy.rules[:1]
            for target in rule.targets
            if target.kind is TargetKind.SCHEDULE
        )
        for policy in snapshot.policies
    }


def always_on_call(snapshot: AccountSnapshot) -> dict[str, tuple[str, ...]]:
    """Return the policies on which a person stands directly, day and night, by person."""
    policies: dict[str, list[str]] = {}
    for policy in snapshot.policies:
        for rule in policy.rules:
            for target in rule.targets:
                if target.kind is TargetKind.USER and policy.id not in policies.setdefault(target.id, []):
                    policies[target.id].append(policy.id)
    return {user_id: tuple(found) for user_id, found in sorted(policies.items())}


def _person(user_id: str, user: User | None, account: ZoneInfo | None) -> Person:
    if user is None:
        return Person(user_id, user_id, account or _UTC, account is not None, is_known=False)
    zone = time_zone(user.time_zone) if user.time_zone else account
    return Person(user_id, user.name, zone or _UTC, zone is not None, user.html_url, user.team_ids)
