"""Comparisons with PagerDuty and the doctor's findings as the API shows them."""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from calmo_pagerduty.reconciliation.store import ReconcileRun
from calmo_pagerduty.webhooks.examination_store import Examination
from calmo_pagerduty.webhooks.findings import Level
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


def run_model(run: ReconcileRun) -> RunModel:
    return RunModel.from_row(run, report=run.report or {})


def doctor_model(examined: tuple[Examination, ...]) -> DoctorModel:
    levels = {finding.level for webhook in examined for finding in webhook.findings}
    return DoctorModel(
        ok=Level.ALARM not in levels,
        webhooks=[
            ExaminationModel.from_row(webhook, webhook=webhook.handle, connection=webhook.connection_id)
            for webhook in examined
        ],
    )
