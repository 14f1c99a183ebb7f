"""The input, progress and outcome of a workflow run that gathers an incident's context.

They travel through Temporal, so they hold ids, states and figures, but no texts of people.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from calmo_pagerduty.contexts.model import SourceReport
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel

#: Other services start and query runs by these names: never change them.
CONTEXT_WORKFLOW = "IncidentContextWorkflow"
GATHER_AGAIN = "gather_again"
PROGRESS = "progress"

#: The gathering begins after so long without a further reason, and at the latest after the maximum.
DEBOUNCE = timedelta(seconds=2)
MAX_DEBOUNCE = timedelta(seconds=10)
MAX_REASONS = 20

#: Why a context is gathered. Temporal's history has it, so it must be our own text.
ReasonText = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class ContextState(StrEnum):
    """How the gathering of a context stands."""

    GATHERING = "gathering"
    COMPLETE = "complete"
    #: A bug of ours prevented the assessment. A failed source only degrades the context.
    FAILED = "failed"


#: The states in which a source has not failed and misses nothing.
COMPLETE_STATES = frozenset({SourceState.COMPLETE, SourceState.NOT_APPLICABLE})


class ContextStart(FrozenModel):
    """The input of `IncidentContextWorkflow`, which other services may start themselves.

    After continue-as-new, `version` is the last version that an earlier run finished.
    """

    ref: IncidentRef
    reasons: Annotated[tuple[ReasonText, ...], Field(max_length=MAX_REASONS)] = ()
    debounce: Annotated[timedelta, Field(ge=timedelta(), le=MAX_DEBOUNCE)] = DEBOUNCE
    version: int | None = None


class SourceProgress(FrozenModel):
    """The progress of one source, in figures."""

    state: SourceState = SourceState.GATHERING
    count: int = 0
    requests: int = 0
    seconds: float = 0.0


class RunProgress(FrozenModel):
    """The answer to the query `progress`. `version` is None while the run waits for further reasons."""

    version: int | None = None
    state: ContextState = ContextState.GATHERING
    reasons: tuple[str, ...] = ()
    sources: Mapping[Source, SourceProgress] = {}


class ContextOutcome(FrozenModel):
    """The result of a run: the newest version. Its document is in our database."""

    version: int
    state: ContextState
    is_degraded: bool = False
    requests: int = 0
    #: The number of items from each source.
    counts: Mapping[Source, int] = {}


class ContextProgress(FrozenModel):
    """The progress of the newest version, from our database. Times are UTC."""

    version: int
    state: ContextState
    reasons: tuple[str, ...]
    begun_at: datetime
    finished_at: datetime | None = None
    requests: int = 0
    is_degraded: bool = False
    sources: tuple[SourceReport, ...] = ()


def context_workflow_id(ref: IncidentRef) -> str:
    """Return `pd-context:INCIDENT:CONNECTION`; the fixed id allows one gathering per incident at a time."""
    return f"pd-context:{ref.incident_id}:{ref.connection_id}"


def is_degraded(states: Mapping[Source, SourceState]) -> bool:
    """Return whether some source is not complete. A source without a state counts as unavailable."""
    return any(states.get(source, SourceState.UNAVAILABLE) not in COMPLETE_STATES for source in Source)
