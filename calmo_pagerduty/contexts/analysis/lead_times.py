"""How long before an incident its cause comes: a density over leads, as the account's own past tells.

For each scale c, the density is c / (c + lead)² (Lomax, shape 1: half of the causes come within c, and some
hours before). Which scale holds is not known, so the density is a mixture over several. It falls with the
lead. So each level has one lead at which the density falls below it: what an exact test needs.
Source: K. S. Lomax, JASA 49 (1954) 847-852; its use for what triggers what: Y. Ogata, JASA 83 (1988) 9-27.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from calmo_pagerduty.contexts.analysis.correlation import INCIDENT_WINDOW
from calmo_pagerduty.contexts.analysis.streams import (
    CLOCK_SKEW,
    DAY,
    LEAD_OF_LATER,
    MIN_LEAD,
    MINUTE,
    effective_lead,
)
from calmo_pagerduty.contexts.analysis.title_index import Floats

#: Scales with their prior probabilities, in seconds.
CHANGE_SCALES: Mapping[float, float] = {5 * MINUTE: 0.2, 10 * MINUTE: 0.3, 20 * MINUTE: 0.3, 40 * MINUTE: 0.2}
INCIDENT_SCALES: Mapping[float, float] = {2 * MINUTE: 0.3, 5 * MINUTE: 0.4, 15 * MINUTE: 0.3}
#: The share of causes that come hours before, by kind, and their median lead (seconds).
TAIL_SHARES: Mapping[str, float] = {"change": 0.2, "incident": 0.1}
TAIL_SCALE = 30 * MINUTE
#: Leads in seconds at which densities are kept.
STEPS: Floats = np.geomspace(MIN_LEAD, DAY, 600)


def density(scale: float, leads: Floats, tail: float) -> Floats:
    """Return the density per second of one scale at leads in seconds; below MIN_LEAD it is flat."""
    late = np.maximum(leads, MIN_LEAD)
    soon: Floats = np.exp(-late / scale) / scale
    return (1 - tail) * soon + tail * TAIL_SCALE / (TAIL_SCALE + late) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class LeadTimes:
    """A mixture over scales (seconds) with their probabilities, which add up to 1, and the share of the tail.

    `open_share` tells, for the seconds in STEPS, how many incidents are open then: an incident that is over
    is looked at for INCIDENT_WINDOW only. None for changes.
    """

    probabilities: Mapping[float, float]
    tail: float
    open_share: Floats | None = None
    #: The density at STEPS, which falls.
    _densities: Floats = field(init=False)
    #: For how many of the seconds up to each of STEPS an event is looked at.
    _exposures: Floats = field(init=False)

    def __post_init__(self) -> None:
        densities = sum(
            share * density(scale, STEPS, self.tail) for scale, share in self.probabilities.items()
        )
        object.__setattr__(self, "_densities", densities)
        seen = np.ones(len(STEPS))
        if self.open_share is not None:
            seen = np.where(STEPS <= INCIDENT_WINDOW, 1.0, self.open_share)
        lengths = np.diff(STEPS) * (seen[1:] + seen[:-1]) / 2
        object.__setattr__(self, "_exposures", MIN_LEAD + np.concatenate([[0.0], np.cumsum(lengths)]))

    def at(self, lead: float) -> float:
        """Return the density per second at a lead in seconds; a negative lead counts as LEAD_OF_LATER."""
        return float(np.interp(effective_lead(lead), STEPS, self._densities))

    def seconds_above(self, level: float) -> float:
        """Return in how many seconds around an incident an event has at least this density."""
        if level > self._densities[0]:
            return 0.0
        # np.interp wants rising abscissae, and the density falls.
        before = float(np.interp(level, self._densities[::-1], STEPS[::-1]))
        seen = float(np.interp(before, STEPS, self._exposures))
        return seen + (CLOCK_SKEW if before >= LEAD_OF_LATER else 0.0)
