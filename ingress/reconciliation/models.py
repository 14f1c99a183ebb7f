"""API models of reconciliations and of the doctor's findings."""

from datetime import datetime
from typing import Any

from calmo_pagerduty.reconciliation.store import ReconcileRun
from calmo_pagerduty.webhooks.examination_store import Examination
from calmo_pagerduty.webhooks.findings import Level
from ingress.api.models import Instant, Model


class ReconcileBody(Model):
    """Compare incidents from `since` on. Without it, from shortly before the last run's end."""

    since: Instant | None = None


class ReconcileModel(Model):
    """If `started` is false, `problem` says why."""

    connection: str
    started: bool
    workflow_id: str | None = None
    #: The number of the run before. The next higher number is this run.
    after: int = 0
    problem: str | None = None


class RunModel(Model):
    """A reconciliation: its reason, the time that it covers, and what it found and did."""

    id: int
    reason: str
    since: datetime
    until: datetime
    begun_at: datetime
    #: Null while the run is not finished.
    finished_at: datetime | None
    report: dict[str, Any]


class RunListModel(Model):
    connection: str
    #: The watermark: up to this time we have all events that PagerDuty has.
    reconciled_until: datetime | None
    runs: list[RunModel]


class DoctorQuery(Model):
    connection: str | None = None


class DoctorBody(Model):
    """Examine this connection's webhooks. Without it, all webhooks that the key sees."""

    connection: str | None = None


class FindingModel(Model):
    """A problem of a webhook, its level, and what to do."""

    kind: str
    level: Level
    words: str
    advice: str
    since: datetime | None


class ExaminationModel(Model):
    """The findings of the last examination of a webhook."""

    webhook: str
    name: str
    connection: str
    examined_at: datetime | None
    disabled_at: datetime | None
    findings: list[FindingModel]


class DoctorModel(Model):
    #: False if a finding means that events get lost.
    ok: bool
    webhooks: list[ExaminationModel]


def run_model(run: ReconcileRun) -> RunModel:
    return RunModel.from_row(run, report=run.report or {})


def doctor_model(examinations: tuple[Examination, ...]) -> DoctorModel:
    levels = {finding.level for examination in examinations for finding in examination.findings}
    return DoctorModel(
        ok=Level.ALARM not in levels,
        webhooks=[
            ExaminationModel.from_row(
                examination, webhook=examination.handle, connection=examination.connection_id
            )
            for examination in examinations
        ],
    )
