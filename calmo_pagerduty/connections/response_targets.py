"""A connection's response targets: how soon incidents must be acknowledged and resolved, by severity."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.kernel.model import FrozenModel

Minutes = Annotated[float, Field(gt=0, le=60 * 24 * 365)]


class Goal(StrEnum):
    """What a response target is about."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class SeverityTargets(FrozenModel):
    """Targets in minutes after the incident was opened. None means no target."""

    acknowledge_minutes: Minutes | None = None
    resolve_minutes: Minutes | None = None

    def duration_of(self, goal: Goal) -> timedelta | None:
        minutes = self.acknowledge_minutes if goal is Goal.ACKNOWLEDGE else self.resolve_minutes
        return None if minutes is None else timedelta(minutes=minutes)


class ResponseTargets(FrozenModel):
    """A connection's targets.

    If `escalates_on_miss`, an open incident that misses a target is escalated to `escalation_level`,
    provided that the connection's rules allow writes.
    """

    by_severity: Mapping[Severity, SeverityTargets] = {}
    escalates_on_miss: bool = False
    escalation_level: Annotated[int, Field(ge=1, le=20)] = 2
