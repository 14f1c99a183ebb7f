"""REST endpoints that show an incident's context, its progress and its versions, and gather a context.

Errors: `ingress.api.errors`.
"""

import asyncio
import hashlib
import json

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import ISSUES_READ, TOOLS_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.rendering.dependency_picture import dependency_svg
from calmo_pagerduty.contexts.rendering.markdown import context_markdown
from calmo_pagerduty.contexts.store import StoredContext
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tool_calls.model import CallState
from ingress.api.calls import channel_of
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.errors import ResourceNotFound
from ingress.api.finding import check_issue_id
from ingress.api.key_limits import LiveResponse
from ingress.api.models import Links
from ingress.contexts.examples import CONTEXT_EXAMPLE, GATHER_EXAMPLE, VERSIONS_EXAMPLE
from ingress.contexts.lookup import (
    RequestedContext,
    context_of_incident,
    context_of_issue,
    is_incident,
    is_issue,
    no_context_error,
)
from ingress.contexts.models import (
    ContextQuery,
    ContextVersionsModel,
    GatherBody,
    GatherIssueBody,
    GatherModel,
    ProgressQuery,
    links_of,
    version_model,
)
from ingress.contexts.progress_stream import ProgressStream
from ingress.contexts.starting import request_gathering
from ingress.tools.service import ToolCallDispatcher
from workflows import names

KEEP_ALIVE_SECONDS = 15
#: How long PagerDuty may take to say whether an incident exists.
CHECK_SECONDS = 10.0
NOT_FOUND = ((404, "there is no such issue, or it has no context yet; the message says which"),)
NOT_MODIFIED = ((304, "the context has not changed since the If-None-Match header's version"),)
NO_INCIDENT = ((409, "a finding opened the issue: there is no incident to gather a context of"),)
UNAVAILABLE = ((503, "Temporal can't be reached"),)
#: A browser that opens the picture by itself runs no script in it.
SVG_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class ContextEndpoints:
    """Endpoints for contexts. Setting `closing` ends the live streams."""

    def __init__(
        self,
        database: Database,
        dispatcher: ToolCallDispatcher,
        temporal: TemporalHandle,
        task_queue: str,
        links: Links,
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._temporal = temporal
        self._task_queue = task_queue
        self._links = links
        self.closing = asyncio.Event()

    def endpoints(self) -> list[EndpointRow]:
        path = "/api/issues/{id}/context"
        return [
            Endpoint(
                "GET",
                path,
                "Show an issue's context",
                Json(IncidentContext, example=CONTEXT_EXAMPLE),
                permission=ISSUES_READ,
                takes=ContextQuery,
                handler=self.show,
                statuses=NOT_FOUND + NOT_MODIFIED + NO_INCIDENT,
            ),
            Endpoint(
                "GET",
                f"{path}/versions",
                "List the versions of an issue's context",
                Json(ContextVersionsModel, example=VERSIONS_EXAMPLE),
                permission=ISSUES_READ,
                takes=NoInput,
                handler=self.versions,
                statuses=NOT_FOUND + NO_INCIDENT,
            ),
            Endpoint(
                "GET",
                f"{path}.md",
                "Show an issue's context as Markdown",
                Media("text/markdown"),
                permission=ISSUES_READ,
                takes=ContextQuery,
                handler=self.page,
                statuses=NOT_FOUND + NOT_MODIFIED + NO_INCIDENT,
            ),
            Endpoint(
                "GET",
                f"{path}/graph.svg",
                "Draw the service dependencies as SVG",
                Media("image/svg+xml"),
                permission=ISSUES_READ,
                takes=ContextQuery,
                handler=self.picture,
                statuses=NOT_FOUND + NOT_MODIFIED + NO_INCIDENT,
            ),
            Endpoint(
                "GET",
                f"{path}/progress",
                "Stream the progress of a gathering as server-sent events",
                Media("text/event-stream"),
                permission=ISSUES_READ,
                takes=ProgressQuery,
                handler=self.progress,
                statuses=NOT_FOUND + NO_INCIDENT,
            ),
            Endpoint(
                "POST",
                path,
                "Gather an issue's context",
                Json(GatherModel, status=202, example=GATHER_EXAMPLE),
                permission=TOOLS_READ,
                takes=GatherIssueBody,
                handler=self.gather_issue,
                statuses=((404, "there is no such issue"), *NO_INCIDENT, *UNAVAILABLE),
            ),
            Endpoint(
                "POST",
                "/api/incidents/{incident_id}/context",
                "Gather an incident's context",
                Json(GatherModel, status=202, example=GATHER_EXAMPLE),
                permission=TOOLS_READ,
                takes=GatherBody,
                handler=self.gather_incident,
                statuses=(
                    (404, "there is no such connection or no such incident"),
                    (409, "several connections have an issue of this incident; name a connection"),
                    *UNAVAILABLE,
                ),
            ),
        ]

    async def show(self, request: Request, principal: Principal, query: ContextQuery) -> Response:
        """GET /api/issues/{id}/context"""
        stored = await self._get_version(request, principal, query)
        body = json.dumps(stored.document, ensure_ascii=False, separators=(",", ":"))
        return _conditional_response(request, body, "application/json")

    async def page(self, request: Request, principal: Principal, query: ContextQuery) -> Response:
        """GET /api/issues/{id}/context.md"""
        stored = await self._get_version(request, principal, query)
        text = await asyncio.to_thread(lambda: context_markdown(_document(stored)))
        return _conditional_response(request, text, "text/markdown; charset=utf-8")

    async def picture(self, request: Request, principal: Principal, query: ContextQuery) -> Response:
        """GET /api/issues/{id}/context/graph.svg"""
        stored = await self._get_version(request, principal, query)
        svg = await asyncio.to_thread(lambda: dependency_svg(_document(stored)))
        return _conditional_response(request, svg, "image/svg+xml")

    async def versions(
        self, request: Request, principal: Principal, _nothing: NoInput
    ) -> ContextVersionsModel:
        """GET /api/issues/{id}/context/versions"""
        issue_id = _issue_id(request)

        def read(transaction: Transaction) -> tuple[StoredContext, ...]:
            stored = contexts.list_versions(transaction, principal.visibility, issue_id)
            if not stored:
                raise no_context_error(transaction, principal.visibility, issue_id)
            return stored

        versions = await self._database.read(read, principal.visibility)
        return ContextVersionsModel(
            issue_id=issue_id, versions=[version_model(context) for context in versions]
        )

    async def progress(self, request: Request, principal: Principal, query: ProgressQuery) -> Response:
        """GET /api/issues/{id}/context/progress of the requested version, or of the newest.

        If the requested version has not begun yet, the stream waits for it.
        """
        issue_id = _issue_id(request)

        def read(transaction: Transaction) -> int:
            versions = contexts.list_versions(transaction, principal.visibility, issue_id)
            if versions:
                return query.version or versions[0].version
            visibility = principal.visibility
            exists = is_issue(transaction, visibility, issue_id) or is_incident(
                transaction, visibility, issue_id, query.connection, query.incident
            )
            if query.version is None or not exists:
                raise no_context_error(transaction, principal.visibility, issue_id)
            return query.version

        version = await self._database.read(read, principal.visibility)
        stream = ProgressStream(self._database, principal, issue_id, version, self.closing)
        return LiveResponse(principal.key_id, stream.events(), KEEP_ALIVE_SECONDS)

    async def gather_issue(
        self, request: Request, principal: Principal, body: GatherIssueBody
    ) -> GatherModel:
        """POST /api/issues/{id}/context"""
        issue_id = _issue_id(request)
        requested = await self._database.read(
            lambda t: context_of_issue(t, principal.visibility, issue_id), principal.visibility
        )
        return await self._request_context(requested, body.reason)

    async def gather_incident(self, request: Request, principal: Principal, body: GatherBody) -> GatherModel:
        """POST /api/incidents/{incident_id}/context

        Raises ResourceNotFound, Ambiguous, TemporalUnavailable.
        """
        incident_id = request.path_params["incident_id"]
        if not INCIDENT_ID.fullmatch(incident_id):
            raise ResourceNotFound(f"there is no incident {incident_id[:60]!r}")
        requested = await self._database.read(
            lambda t: context_of_incident(t, principal.visibility, incident_id, body.connection),
            principal.visibility,
        )
        if not requested.is_known:
            await self._check_incident(request, principal, requested.ref)
        return await self._request_context(requested, body.reason)

    async def _check_incident(self, request: Request, principal: Principal, ref: IncidentRef) -> None:
        """Ask PagerDuty whether the incident exists, before a workflow and many requests are spent on it.

        Raises ResourceNotFound, and the dispatcher's refusals.
        """
        answer = await self._dispatcher.call(
            principal,
            channel_of(request),
            ref.connection_id,
            "get_incident",
            {"incident_id": ref.incident_id},
            wait_seconds=CHECK_SECONDS,
        )
        if answer.state is CallState.FAILED:
            raise ResourceNotFound(f"PagerDuty knows no incident {ref.incident_id!r} on this connection")

    async def _request_context(self, requested: RequestedContext, reason: str) -> GatherModel:
        ref, workflow_id = requested.ref, names.context_id(requested.ref)
        await request_gathering(self._temporal, self._task_queue, self._links.public_address, ref, reason)
        return GatherModel(
            issue_id=ref.issue_id,
            incident_id=ref.incident_id,
            connection_id=ref.connection_id,
            version=requested.version,
            workflow_id=workflow_id,
            workflow_url=self._links.workflow(workflow_id),
            links=links_of(ref, requested.version),
        )

    async def _get_version(
        self, request: Request, principal: Principal, query: ContextQuery
    ) -> StoredContext:
        """Return the requested or the newest complete version. Raises ResourceNotFound, StoreUnavailable."""
        issue_id = _issue_id(request)

        def read(transaction: Transaction) -> StoredContext:
            stored = contexts.get_version(transaction, principal.visibility, issue_id, query.version)
            if stored is None or stored.document is None:
                raise no_context_error(transaction, principal.visibility, issue_id, query.version)
            return stored

        return await self._database.read(read, principal.visibility)


def _issue_id(request: Request) -> str:
    issue_id: str = request.path_params["id"]
    check_issue_id(issue_id)
    return issue_id


def _document(stored: StoredContext) -> IncidentContext:
    return IncidentContext.model_validate(stored.document)


def _conditional_response(request: Request, body: str, media_type: str) -> Response:
    """Answer with the body, or with 304 if the client has this version already."""
    content = body.encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", **SVG_HEADERS}
    client_tags = {
        tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
    }
    if client_tags & {tag, "*"}:
        return Response(None, 304, headers)
    return Response(content, 200, headers, media_type)
