"""Comparisons with PagerDuty and the doctor's findings as the API shows them."""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from calmo_pagerduty.domain.subscription_findings import Level
from calmo_pagerduty.store.examinations import Examination
from calmo_pagerduty.store.reconciliations import Run
from ingress.api.models import Model


class ReconcileBody(Model):
    """From when on to compare; without it from a little before the last run's end."""

    since: AwareDatetime | None = None


class ReconcileModel(Model):
    """`started` False: `problem` says why it can't be done."""

    connection: str
    started: bool
    workflow_id: str | None = None
    #: The number of the run before: a later one is this one.
    after: int = 0
    problem: str | None = None


class RunModel(Model):
    """One comparison: why, over which time, and what it found and did."""

    id: int
    reason: str
    since: datetime
    until: datetime
    begun_at: datetime
    #: Null while it goes on.
    finished_at: datetime | None
    report: dict[str, Any]


class RunListModel(Model):
    connection: str
    #: Up to then everything that PagerDuty knows is known here.
    reconciled_until: datetime | None
    runs: list[RunModel]


class DoctorQuery(Model):
    connection: str | None = None


class DoctorBody(Model):
    """Which connection's webhooks; without it all that the key sees."""

    connection: str | None = None


class FindingModel(Model):
    """What is wrong, how bad it is, and what to do."""

    kind: str
    level: Level
    words: str
    advice: str
    since: datetime | None


class ExaminationModel(Model):
    """What was found last on one webhook."""

    webhook: str
    name: str
    connection: str
    examined_at: datetime | None
    disabled_at: datetime | None
    findings: list[FindingModel]


class DoctorModel(Model):
    #: Whether there is no finding that lets events get lost.
    ok: bool
    webhooks: list[ExaminationModel]


def run_model(run: Run) -> RunModel:
    return RunModel(
        id=run.id,
        reason=run.reason,
        since=run.since,
        until=run.until,
        begun_at=run.begun_at,
        finished_at=run.finished_at,
        report=dict(run.report or {}),
    )


def doctor_model(found: tuple[Examination, ...]) -> DoctorModel:
    return DoctorModel(
        ok=not any(one.level is Level.ALARM for webhook in found for one in webhook.findings),
        webhooks=[
            ExaminationModel(
                webhook=one.handle,
                name=one.name,
                connection=one.connection_id,
                examined_at=one.examined_at,
                disabled_at=one.disabled_at,
                findings=[FindingModel(**finding.model_dump()) for finding in one.findings],
            )
            for one in found
        ],
    )
