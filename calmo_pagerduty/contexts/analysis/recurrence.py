"""Measure how often incidents of this kind recur on the service, and whether they flap.

Source: the labels frequent, rare and anomaly, over 30 days, are those of PagerDuty's "Outlier Incident".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, PastIncident
from calmo_pagerduty.contexts.analysis.title_index import TitleSimilarity
from calmo_pagerduty.contexts.model import Recurrence
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.flapping import MIN_FLAP_CYCLES, FlapCycle, count_flap_cycles
from calmo_pagerduty.kernel.titles import fingerprint, stable_key

WINDOW = timedelta(days=30)
FREQUENT_SHARE = 0.20
RARE_SHARE = 0.05
#: With fewer incidents, a share means nothing.
MIN_SERVICE_INCIDENTS = 5

Label = Literal["frequent", "rare", "anomaly", "usual"]


def assess_recurrence(inputs: AssessmentInput, similarity: TitleSimilarity) -> Recurrence | None:
    """Return how often the kind recurs; None without a service, or without the account's history."""
    service = inputs.incident.service
    if service is None or Source.HISTORY in inputs.missing_sources:
        return None
    began = inputs.incident.created_at
    key, mask = _key_of(inputs), similarity.mask_of(inputs.incident.title)
    on_service = [
        incident
        for incident in inputs.past
        if incident.service_id == service.id and incident.created_at <= began
    ]
    same = [incident for incident in on_service if _is_same_kind(incident, key, mask, similarity)]
    since = max(began - WINDOW, inputs.past_since or began)
    of = sum(incident.created_at >= since for incident in on_service)
    count = sum(incident.created_at >= since for incident in same)
    cycles = count_flap_cycles([_cycle(incident) for incident in same], began)
    return Recurrence(
        fingerprint=fingerprint(service.id, key, mask),
        # In an account without a past everything is new: a label would mean nothing.
        label=recurrence_label(count, of, began - since) if inputs.past else None,
        count=count,
        of=of,
        share=round(count / of, 4) if of else None,
        window_days=round((began - since) / timedelta(days=1), 2),
        is_flapping=cycles >= MIN_FLAP_CYCLES,
        flap_cycles=cycles,
        last_at=max((incident.created_at for incident in same), default=None),
    )


def recurrence_label(count: int, of: int, window: timedelta) -> Label | None:
    """Return PagerDuty's label for `count` of a service's `of` incidents; None if too little is known."""
    if count == 0:
        return "anomaly" if window >= WINDOW else None
    if of < MIN_SERVICE_INCIDENTS:
        return None
    share = count / of
    if share >= FREQUENT_SHARE:
        return "frequent"
    return "rare" if share <= RARE_SHARE else "usual"


def _cycle(incident: PastIncident) -> FlapCycle:
    return FlapCycle(incident.created_at, incident.resolved_at if incident.is_auto_resolved else None)


def _key_of(inputs: AssessmentInput) -> str | None:
    """Return the key of the incident's first alert."""
    first = min(inputs.alerts, key=lambda alert: (alert.created_at, alert.id), default=None)
    return stable_key(first.key) if first else None


def _is_same_kind(incident: PastIncident, key: str | None, mask: str, similarity: TitleSimilarity) -> bool:
    """Compare the keys if both incidents have a stable key, else the masked titles."""
    other = stable_key(incident.key)
    return other == key if key and other else similarity.mask_of(incident.title) == mask
