"""A run that gathers an incident's context: how it is asked for, how far it is, how it ended.

These travel through Temporal: they hold ids, states and figures, no texts of people.
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

#: The names by which other services start and ask a run. Changing one breaks them.
CONTEXT_WORKFLOW = "IncidentContextWorkflow"
GATHER_AGAIN = "gather_again"
PROGRESS = "progress"

#: How long no further reason may come before the gathering begins, and after which time it begins anyway.
DEBOUNCE = timedelta(seconds=2)
MAX_DEBOUNCE = timedelta(seconds=10)
MAX_REASONS = 20

#: Why a context is wanted, in our own words: they stand in histories.
ReasonText = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class ContextState(StrEnum):
    GATHERING = "gathering"
    COMPLETE = "complete"
    #: It could not be put together: a fault of ours. Sources that fail degrade it only.
    FAILED = "failed"


#: A source is neither failed nor lacking anything.
COMPLETE_STATES = frozenset({SourceState.COMPLETE, SourceState.NOT_APPLICABLE})


class ContextStart(FrozenModel):
    """The input of `IncidentContextWorkflow`, which other services may start themselves.

    `version` is the last that an earlier run finished, if this one goes on with its work.
    """

    ref: IncidentRef
    reasons: Annotated[tuple[ReasonText, ...], Field(max_length=MAX_REASONS)] = ()
    debounce: Annotated[timedelta, Field(ge=timedelta(), le=MAX_DEBOUNCE)] = DEBOUNCE
    version: int | None = None


class SourceProgress(FrozenModel):
    """How the gathering of one source stands, in figures."""

    state: SourceState = SourceState.GATHERING
    count: int = 0
    requests: int = 0
    seconds: float = 0.0


class RunProgress(FrozenModel):
    """The answer of the query `progress`. `version` None: it waits for whether more reasons come."""

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
    #: How much each source brought.
    counts: Mapping[Source, int] = {}


class ContextProgress(FrozenModel):
    """How the newest version stands, as our database knows it. Times are UTC."""

    version: int
    state: ContextState
    reasons: tuple[str, ...]
    begun_at: datetime
    finished_at: datetime | None = None
    requests: int = 0
    is_degraded: bool = False
    sources: tuple[SourceReport, ...] = ()


def context_workflow_id(ref: IncidentRef) -> str:
    """`pd-context:INCIDENT:CONNECTION`: an incident has one gathering at a time."""
    return f"pd-context:{ref.incident_id}:{ref.connection_id}"


def is_degraded(states: Mapping[Source, SourceState]) -> bool:
    """Tell whether some source lacks something. One that was never heard of does."""
    return any(states.get(source, SourceState.UNAVAILABLE) not in COMPLETE_STATES for source in Source)
