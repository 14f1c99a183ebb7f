"""What the API takes and answers about contexts, beside the document itself."""

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
#: It stands in a workflow's history, so it's no place for sentences.
Reason = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9 ,-]*$")]
ON_DEMAND = "on demand"


class ContextQuery(Model):
    """Which version; without a number the newest that is complete."""

    version: Version | None = None


class ProgressQuery(ContextQuery):
    """Which version; one that hasn't begun yet is waited for. Of an incident that is no issue yet,
    `connection` and `incident` tell that it is the caller's.
    """

    connection: Word | None = None
    incident: Word | None = None


class GatherIssueBody(Model):
    """Why, in a few plain words: letters, digits, spaces. They stand in the workflow's history."""

    reason: Reason = ON_DEMAND


class GatherBody(GatherIssueBody):
    """`connection` says as whom PagerDuty is asked; needed only where the incident isn't one issue here."""

    connection: Word | None = None


class ContextLinks(Model):
    """Where to look, as paths of this API."""

    context: str
    progress: str
    versions: str
    page: str
    picture: str


class GatherModel(Model):
    """`version` is the one to come: `progress` follows it until it is complete."""

    issue_id: str
    incident_id: str
    connection_id: str
    version: int
    workflow_id: str
    workflow_url: str
    links: ContextLinks


class ContextVersionModel(Model):
    """One version, without its document. All times are UTC."""

    version: int
    state: ContextState
    reasons: list[str]
    begun_at: datetime
    finished_at: datetime | None
    requests: int
    is_degraded: bool
    url: str


class ContextVersionsModel(Model):
    """The versions that are kept, newest first."""

    issue_id: str
    versions: list[ContextVersionModel]


class SourceEvent(Model):
    """`source`, a server-sent event: a source has landed. `reason` says what is lacking."""

    version: int
    source: Source
    title: str
    state: SourceState
    reason: str
    count: int
    requests: int
    seconds: float
    #: How many have landed, and of how many.
    done: int
    of: int


class EndEvent(Model):
    """`complete`, the last server-sent event; `late` if the version was not begun for too long, `stalled` if
    nothing was heard of it for too long.
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
    whose = f"connection={ref.connection_id}&incident={ref.incident_id}"
    return ContextLinks(
        context=f"{path}?version={version}",
        progress=f"{path}/progress?version={version}&{whose}",
        versions=f"{path}/versions",
        page=f"{path}.md?version={version}",
        picture=f"{path}/graph.svg?version={version}",
    )


def version_model(stored: StoredContext) -> ContextVersionModel:
    url = f"{context_path(stored.issue_id)}?version={stored.version}"
    return ContextVersionModel.from_row(stored, url=url)
