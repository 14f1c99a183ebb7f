"""API models about contexts, except the context document itself."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from calmo_pagerduty.contexts.model import MAX_VERSION
from calmo_pagerduty.contexts.runs import ContextState
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import StoredContext
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.api.models import Model, Word

Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]
#: The reason is stored in a workflow's history, so it must be short and hold no free text.
Reason = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9 ,-]*$")]
ON_DEMAND = "on demand"


class ContextQuery(Model):
    """The version to show. Without a number, it is the newest complete version."""

    version: Version | None = None


class ProgressQuery(ContextQuery):
    """The version to follow. If it has not begun yet, the stream waits for it.

    If the incident is no issue yet, give `connection` and `incident`: they show that you may see it.
    """

    connection: Word | None = None
    incident: Word | None = None


class GatherIssueBody(Model):
    """The reason, in letters, digits, spaces, commas and hyphens. The workflow's history stores it."""

    reason: Reason = ON_DEMAND


class GatherBody(GatherIssueBody):
    """`connection` is needed only if the incident is no issue yet, or an issue of several connections."""

    connection: Word | None = None


class ContextLinks(Model):
    """Paths of this API that show the context."""

    context: str
    progress: str
    versions: str
    page: str
    picture: str


class GatherModel(Model):
    """A gathering that was started. `version` is the version that it makes; `progress` follows it."""

    issue_id: str
    incident_id: str
    connection_id: str
    version: int
    workflow_id: str
    workflow_url: str
    links: ContextLinks


class ContextVersionModel(Model):
    """A version of a context, without its document. All times are UTC."""

    version: int
    state: ContextState
    reasons: list[str]
    begun_at: datetime
    finished_at: datetime | None
    requests: int
    is_degraded: bool
    url: str


class ContextVersionsModel(Model):
    """The stored versions, newest first."""

    issue_id: str
    versions: list[ContextVersionModel]


class SourceEvent(Model):
    """The server-sent event `source`: a source is finished. `reason` says what is missing from it."""

    version: int
    source: Source
    title: str
    state: SourceState
    reason: str
    count: int
    requests: int
    seconds: float
    #: How many sources are finished, and how many there are.
    done: int
    of: int


class EndEvent(Model):
    """The last server-sent event: `complete`, `late` if the version did not begin within 60 s, or `stalled`
    if no source finished for 900 s.
    """

    version: int
    state: ContextState | Literal["late", "stalled"]
    is_degraded: bool = False
    requests: int = 0
    url: str


def context_path(issue_id: str) -> str:
    return f"/api/issues/{issue_id}/context"


def links_of(ref: IncidentRef, version: int) -> ContextLinks:
    path = context_path(ref.issue_id)
    incident = f"connection={ref.connection_id}&incident={ref.incident_id}"
    return ContextLinks(
        context=f"{path}?version={version}",
        progress=f"{path}/progress?version={version}&{incident}",
        versions=f"{path}/versions",
        page=f"{path}.md?version={version}",
        picture=f"{path}/graph.svg?version={version}",
    )


def version_model(stored: StoredContext) -> ContextVersionModel:
    url = f"{context_path(stored.issue_id)}?version={stored.version}"
    return ContextVersionModel.from_row(stored, url=url)
