"""API models of response times and response targets."""

from datetime import datetime, timedelta

from calmo_pagerduty.connections.response_targets import Goal
from calmo_pagerduty.incidents.response_targets import ResponseTimes, TargetState
from ingress.api.models import Model


class TargetModel(Model):
    """A response target. It is `missed` if it was met too late, or is not met yet and overdue."""

    seconds: float
    due_at: datetime
    state: TargetState


class ResponseModel(Model):
    """Response times in seconds since the incident was last opened, and targets. Null if there is none."""

    acknowledged_in: float | None
    resolved_in: float | None
    acknowledge_target: TargetModel | None
    resolve_target: TargetModel | None


def response_model(response: ResponseTimes, now: datetime) -> ResponseModel:
    return ResponseModel(
        acknowledged_in=_seconds(response.acknowledged_in),
        resolved_in=_seconds(response.resolved_in),
        acknowledge_target=_target(response, Goal.ACKNOWLEDGE, now),
        resolve_target=_target(response, Goal.RESOLVE, now),
    )


def _target(response: ResponseTimes, goal: Goal, now: datetime) -> TargetModel | None:
    target = (response.targets or {}).get(goal)
    if target is None:
        return None
    return TargetModel(seconds=target.time.total_seconds(), due_at=target.due_at, state=target.state(now))


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()
