"""Advice on alert grouping: which setting would have joined how many incidents, replayed on the past. Pure.

An alert joins the open incident of its group instead of opening an incident, so it pages nobody. What the
past shows is incidents, so alerts that were grouped already are no part of the replay.

Source of the windows: PagerDuty's REST API, alert grouping settings. Content-based grouping has a rolling
window of 5 minutes to an hour, or 24 hours; time-based grouping has a fixed one from the first alert.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.patterns.past import Past, PastIncident, by_service, count_pages
from calmo_pagerduty.snapshots.model import Service

WINDOWS = (300, 600, 900, 1_800, 3_600, 86_400)
#: A group takes no alerts later than this after its first.
MAX_GROUP = 86_400
#: At most this share of the joined incidents may be such that needed somebody of their own.
MAX_HIDDEN_SHARE = 0.10
MIN_JOINED = 5


class GroupingType(StrEnum):
    """PagerDuty's types that can be replayed; the intelligent one learns and can't."""

    CONTENT = "content_based"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class GroupingReplay:
    """What a setting would have done. `hidden` of the joined were still open and worked on by a person when
    the incident that they would have joined had ended, or were resolved by somebody else.
    """

    type: GroupingType
    seconds: int
    incidents: int
    joined: int
    avoided_pages: int
    hidden: int

    @property
    def hidden_share(self) -> float:
        return self.hidden / self.joined if self.joined else 0.0


@dataclass(frozen=True, slots=True)
class GroupingAdvice:
    service: Service
    incidents: tuple[PastIncident, ...]
    replays: tuple[GroupingReplay, ...]
    chosen: GroupingReplay

    @property
    def pages(self) -> int:
        return count_pages(self.incidents)


@dataclass(slots=True)
class _Group:
    first: PastIncident
    last_at: int


def replay_grouping(items: Sequence[PastIncident], type: GroupingType, seconds: int) -> GroupingReplay:
    """Replay a setting on the incidents of a service, which are in order of time."""
    groups: dict[Hashable, _Group] = {}
    joined: list[tuple[PastIncident, PastIncident]] = []
    for item in items:
        key = item.incident.kind or item.incident.id if type is GroupingType.CONTENT else None
        group = groups.get(key)
        if group is not None and _takes(group, item, type, seconds):
            joined.append((group.first, item))
            group.last_at = item.at
        else:
            groups[key] = _Group(item, item.at)
    return GroupingReplay(
        type=type,
        seconds=seconds,
        incidents=len(items),
        joined=len(joined),
        avoided_pages=count_pages(item for _, item in joined),
        hidden=sum(_would_hide(first, item) for first, item in joined),
    )


def grouping_advice(past: Past) -> tuple[GroupingAdvice, ...]:
    """Return the settings worth making, those that avoid the most pages first.

    Content-based settings come first: they can't join what has nothing to do with each other.
    """
    found = by_service(past)
    advice = []
    for service in past.snapshot.services:
        items = found.get(service.id, ())
        replays = tuple(replay_grouping(items, type, seconds) for type in GroupingType for seconds in WINDOWS)
        for type in GroupingType:
            if chosen := _choose([replay for replay in replays if replay.type is type]):
                advice.append(GroupingAdvice(service, items, replays, chosen))
                break
    return tuple(
        sorted(advice, key=lambda item: (-item.chosen.avoided_pages, -item.chosen.joined, item.service.id))
    )


def _choose(replays: Sequence[GroupingReplay]) -> GroupingReplay | None:
    allowed = [
        replay
        for replay in replays
        if replay.joined >= MIN_JOINED and replay.hidden_share <= MAX_HIDDEN_SHARE
    ]
    return max(
        allowed, key=lambda replay: (replay.avoided_pages, replay.joined, -replay.seconds), default=None
    )


def _takes(group: _Group, item: PastIncident, type: GroupingType, seconds: int) -> bool:
    end = group.first.end
    is_open = end is None or item.at < end
    begin = group.first.at if type is GroupingType.TIME else group.last_at
    return is_open and item.at - begin <= seconds and item.at - group.first.at <= MAX_GROUP


def _would_hide(first: PastIncident, item: PastIncident) -> bool:
    if not item.is_actionable:
        return False
    if item.resolver_id is not None and first.resolver_id not in (None, item.resolver_id):
        return True
    return first.end is not None and (item.end is None or item.end > first.end + WINDOWS[0])
