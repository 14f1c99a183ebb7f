"""A run of the on-call analyses: what it is asked for, and how it ends. It holds counts and references."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from calmo_pagerduty.kernel.model import FrozenModel

SCHEDULED = "on schedule"


class RunState(StrEnum):
    READING = "reading"
    ANALYSING = "analysing"
    COMPLETE = "complete"
    FAILED = "failed"


ENDED_STATES = (RunState.COMPLETE, RunState.FAILED)


class RunToStart(FrozenModel):
    """`run_id` is the workflow run's. `as_of`: analyse the snapshot of that time instead of a new one.

    `now` is what the analyses take for the present; None: when the snapshot was taken. Times are UTC.
    """

    run_id: str
    connection_id: str
    reason: str = SCHEDULED
    as_of: datetime | None = None
    now: datetime | None = None


class StartedRun(FrozenModel):
    """The analyses to carry out, by name. With a `problem`, nothing can be done."""

    analyses: tuple[str, ...] = ()
    problem: str = ""


class SnapshotToBegin(FrozenModel):
    """`is_fresh`: the account was changed just now."""

    run_id: str
    connection_id: str
    is_fresh: bool = False


class SnapshotToAnalyse(FrozenModel):
    """The snapshot of a run, which the analyses are about to use."""

    run_id: str
    snapshot_id: str


class AnalysisToRun(FrozenModel):
    """`now` is epoch seconds (UTC)."""

    run_id: str
    connection_id: str
    snapshot_id: str
    analysis: str
    now: int


class AnalysisOutcome(FrozenModel):
    """How an analysis ended. `digest` is that of its result: equal runs have equal digests.

    `changes` counts what became of findings, such as new ones. With a `problem`, there is no result.
    """

    analysis: str
    digest: str = ""
    findings: int = 0
    changes: dict[str, int] = Field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""


class RunToFinish(FrozenModel):
    run_id: str
    state: RunState
    problem: str = ""


class OnCallRun(FrozenModel):
    """A stored run. `tasks` are those of reading the snapshot, which grow in number. Times are UTC."""

    id: str
    connection_id: str
    reason: str
    state: RunState
    begun_at: datetime
    finished_at: datetime | None = None
    as_of: datetime | None = None
    now: datetime | None = None
    snapshot_id: str | None = None
    requests: int = 0
    tasks: int = 0
    tasks_done: int = 0
    analyses: tuple[str, ...] = ()
    outcomes: tuple[AnalysisOutcome, ...] = ()
    problem: str = ""
