"""How often incidents like this one come on its service, and whether they flap.

The labels are PagerDuty's own (its Outlier Incident): frequent, rare, anomaly, over 30 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from calmo_pagerduty.contexts.analysis.surroundings import PastIncident, Surroundings
from calmo_pagerduty.contexts.analysis.title_index import Likeness
from calmo_pagerduty.contexts.analysis.titles import fingerprint, lasting_key
from calmo_pagerduty.contexts.model import Recurrence
from calmo_pagerduty.contexts.sources import Source

WINDOW = timedelta(days=30)
FREQUENT = 0.20
RARE = 0.05
#: Of fewer incidents, a share says nothing.
LEAST_OF = 5
#: A cycle is a trigger and its auto-resolve; flapping is so many within so long.
FLAPPING = 3
FLAPS_WITHIN = timedelta(minutes=60)
#: The longest time for which PagerDuty can hold back a notification that may resolve itself.
TRIGGERS_AGAIN_WITHIN = timedelta(minutes=15)

Label = Literal["frequent", "rare", "anomaly", "usual"]


@dataclass(frozen=True, slots=True)
class Cycle:
    """One incident of a kind; `auto_resolved_at` None if a person resolved it, or nobody."""

    triggered_at: datetime
    auto_resolved_at: datetime | None


def recurrence(around: Surroundings, likeness: Likeness) -> Recurrence | None:
    """Return how often it comes; None without a service, or without the account's history."""
    service = around.incident.service
    if service is None or Source.HISTORY in around.lacking:
        return None
    began = around.incident.created_at
    key, mask = _key_of(around), likeness.mask_of(around.incident.title)
    on_service = [
        incident
        for incident in around.past
        if incident.service_id == service.id and incident.created_at <= began
    ]
    same = [incident for incident in on_service if _is_same(incident, key, mask, likeness)]
    since = max(began - WINDOW, around.past_since or began)
    of = sum(incident.created_at >= since for incident in on_service)
    count = sum(incident.created_at >= since for incident in same)
    cycles = flap_cycles([_cycle(incident) for incident in same], began)
    return Recurrence(
        fingerprint=fingerprint(service.id, key, mask),
        # To an account without a past everything is new: that tells nothing.
        label=label_of(count, of, began - since) if around.past else None,
        count=count,
        of=of,
        share=round(count / of, 4) if of else None,
        window_days=round((began - since) / timedelta(days=1), 2),
        is_flapping=cycles >= FLAPPING,
        flap_cycles=cycles,
        last_at=max((incident.created_at for incident in same), default=None),
    )


def label_of(count: int, of: int, window: timedelta) -> Label | None:
    """Return what PagerDuty would call `count` of a service's `of` incidents; None if too little is known."""
    if count == 0:
        return "anomaly" if window >= WINDOW else None
    if of < LEAST_OF:
        return None
    share = count / of
    if share >= FREQUENT:
        return "frequent"
    return "rare" if share <= RARE else "usual"


def flap_cycles(cycles: Sequence[Cycle], triggered_at: datetime) -> int:
    """Return how many cycles in an unbroken row led up to a trigger: each began at most an hour before it,
    resolved itself, and was followed by the next trigger within 15 minutes.
    """
    count, following = 0, triggered_at
    for cycle in sorted(cycles, key=lambda cycle: cycle.triggered_at, reverse=True):
        resolved = cycle.auto_resolved_at
        if resolved is None or following - resolved > TRIGGERS_AGAIN_WITHIN:
            break
        if triggered_at - cycle.triggered_at > FLAPS_WITHIN:
            break
        count, following = count + 1, cycle.triggered_at
    return count


def _cycle(incident: PastIncident) -> Cycle:
    return Cycle(incident.created_at, incident.resolved_at if incident.is_auto_resolved else None)


def _key_of(around: Surroundings) -> str | None:
    """Return the key of the incident's first alert."""
    first = min(around.alerts, key=lambda alert: (alert.created_at, alert.id), default=None)
    return lasting_key(first.key) if first else None


def _is_same(incident: PastIncident, key: str | None, mask: str, likeness: Likeness) -> bool:
    """Compare the keys where both have one that lasts, else the titles."""
    other = lasting_key(incident.key)
    return other == key if key and other else likeness.mask_of(incident.title) == mask
