"""API models of snapshots and of the runs of on-call analyses."""

from datetime import UTC, datetime

from pydantic import AwareDatetime

from calmo_pagerduty.oncall.model import AnalysisOutcome, OnCallRun, RunState
from calmo_pagerduty.snapshots.model import Section, SectionName, SectionState
from calmo_pagerduty.snapshots.rows import SnapshotState, StoredSnapshot
from ingress.api.models import Model, Word


class RunBody(Model):
    """Analyse a new snapshot, or with `as_of` the stored one of that time.

    `now` is what the analyses take for the present; without it, it is when the snapshot was taken. `fresh`
    reads the account's configuration anew even if it was read some minutes ago.
    """

    as_of: AwareDatetime | None = None
    now: AwareDatetime | None = None
    fresh: bool = False


class StartedRunModel(Model):
    """`run` is the run that was started, or that was running already."""

    connection: str
    run: str
    workflow_id: str
    url: str
    #: Streams the progress as server-sent events.
    progress_url: str


class FollowQuery(Model):
    """The run to follow, as the start of a run named it."""

    run: Word


class OutcomeModel(Model):
    """How an analysis ended. Equal results have equal digests. With a `problem`, there is no result."""

    analysis: str
    digest: str
    findings: int
    #: What became of findings: new, returned, resolved …
    changes: dict[str, int]
    seconds: float
    problem: str


class OnCallRunModel(Model):
    """A run. `tasks` are the lists that its snapshot is read from; they grow in number."""

    id: str
    reason: str
    state: RunState
    begun_at: datetime
    finished_at: datetime | None
    as_of: datetime | None
    now: datetime | None
    snapshot: str | None
    requests: int
    tasks: int
    tasks_done: int
    analyses: list[str]
    outcomes: list[OutcomeModel]
    problem: str


class OnCallRunListModel(Model):
    connection: str
    #: The newest first.
    runs: list[OnCallRunModel]


class SectionModel(Model):
    """How a part of the account was read. `since` is how far back the past is known."""

    name: SectionName
    state: SectionState
    count: int
    fetched_at: datetime
    since: datetime | None
    reason: str


class SnapshotModel(Model):
    """A snapshot. Its sections are known once it is complete."""

    id: str
    state: SnapshotState
    taken_at: datetime
    finished_at: datetime | None
    rendered_since: datetime
    rendered_until: datetime
    requests: int
    sections: list[SectionModel]


class SnapshotListModel(Model):
    connection: str
    #: The newest first.
    snapshots: list[SnapshotModel]


def oncall_run_model(run: OnCallRun) -> OnCallRunModel:
    return OnCallRunModel.from_row(
        run,
        snapshot=run.snapshot_id,
        analyses=list(run.analyses),
        outcomes=[_outcome_model(outcome) for outcome in run.outcomes],
    )


def _outcome_model(outcome: AnalysisOutcome) -> OutcomeModel:
    return OutcomeModel.from_row(outcome)


def snapshot_model(stored: StoredSnapshot) -> SnapshotModel:
    head = stored.head
    return SnapshotModel(
        id=head.id,
        state=stored.state,
        taken_at=_moment(head.taken_at),
        finished_at=stored.finished_at,
        rendered_since=_moment(head.rendered_since),
        rendered_until=_moment(head.rendered_until),
        requests=stored.requests,
        sections=[_section_model(section) for section in head.sections],
    )


def _section_model(section: Section) -> SectionModel:
    return SectionModel.from_row(
        section,
        fetched_at=_moment(section.fetched_at),
        since=None if section.since is None else _moment(section.since),
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
