"""API models of an incident's replay."""

from datetime import datetime

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.incident_replay import IncidentReplay, ReplayOutcome
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from ingress.api.models import Model


class ReplayedStateModel(Model):
    """The state of the incident's workflow. Times are UTC."""

    status: IncidentStatus
    severity: Severity
    priority: str | None
    service_id: str | None
    team_ids: list[str]
    as_of: datetime | None
    completes_at: datetime | None


class ReplayStepModel(Model):
    """One stored delivery: what the workflow decided on its event, and why. Times are UTC.

    `agrees` is false if the timeline says otherwise, and null if it doesn't have the event.
    """

    seq: int
    event_id: str | None
    event_type: str | None
    occurred_at: datetime | None
    received_at: datetime
    decided_at: datetime | None
    outcome: ReplayOutcome
    reason: str
    effects: list[str]
    before: ReplayedStateModel
    after: ReplayedStateModel
    agrees: bool | None


class IncidentReplayModel(Model):
    """The steps in the order in which the workflow saw them.

    `missing` are ids of the timeline's events whose delivery is no longer stored: then the steps are not the
    whole story, and a state may differ. The settings of now are used, such as the names of priorities.
    """

    issue_id: str
    incident_id: str
    agrees: bool
    missing: list[str]
    steps: list[ReplayStepModel]


def replay_model(issue_id: str, incident_id: str, replay: IncidentReplay) -> IncidentReplayModel:
    return IncidentReplayModel(
        issue_id=issue_id,
        incident_id=incident_id,
        agrees=replay.agrees,
        missing=list(replay.missing),
        steps=[ReplayStepModel.from_row(step) for step in replay.steps],
    )
