"""REST endpoints of cover: suggestions for any time, requests, and answers to them."""

import logging
from datetime import datetime

from starlette.requests import Request
from temporalio.service import RPCError

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotReader, SnapshotUnreadable
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.tool_calls.model import OPEN_STATES
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.workload.cover_document import request_document, suggestion_document
from calmo_pagerduty.workload.cover_requests import CoverAnswer, CoverReason, CoverRefused, CoverRequest
from calmo_pagerduty.workload.cover_service import CoverService
from calmo_pagerduty.workload.privacy import manages, may_see
from ingress.api.calls import channel_of
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import NotPermitted
from ingress.api.finding import require
from ingress.tools.service import ToolCallDispatcher
from ingress.workload.models import (
    CoverAnswerBody,
    CoverQuery,
    CoverRequestListModel,
    CoverRequestListQuery,
    CoverRequestModel,
    CoverSuggestionModel,
)
from workflows import names

logger = logging.getLogger(__name__)

NOT_FOUND = ((404, "there is no such connection or request, or no snapshot yet"),)
REFUSED = ((409, "it is not possible (any more); the message says why"),)


class CoverEndpoints:
    """A person asks and answers for oneself; a manager may for others."""

    def __init__(
        self,
        covers: CoverService,
        snapshots: SnapshotReader,
        dispatcher: ToolCallDispatcher,
        temporal: TemporalHandle,
    ) -> None:
        self._covers = covers
        self._snapshots = snapshots
        self._dispatcher = dispatcher
        self._temporal = temporal

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                "/api/connections/{id}/cover",
                "Suggest who could cover a time on call, or parts of it; the least loaded first",
                Json(CoverSuggestionModel),
                permission=FINDINGS_READ,
                takes=CoverQuery,
                handler=self.suggest,
                statuses=NOT_FOUND + REFUSED,
            ),
            Endpoint(
                "GET",
                "/api/connections/{id}/cover-requests",
                "List requests for cover that are about persons whom this key may see",
                Json(CoverRequestListModel),
                permission=FINDINGS_READ,
                takes=CoverRequestListQuery,
                handler=self.list,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/connections/{id}/cover-requests",
                "Ask everybody who could cover a time; the first acceptance closes the request",
                Json(CoverRequestModel, status=201),
                permission=FINDINGS_WRITE,
                takes=CoverQuery,
                handler=self.ask,
                statuses=NOT_FOUND + REFUSED,
            ),
            Endpoint(
                "GET",
                "/api/cover-requests/{id}",
                "Show a request for cover",
                Json(CoverRequestModel),
                permission=FINDINGS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/cover-requests/{id}/answer",
                "Accept, decline or withdraw; an acceptance files the call of create_schedule_override",
                Json(CoverRequestModel),
                permission=FINDINGS_WRITE,
                takes=CoverAnswerBody,
                handler=self.answer,
                statuses=NOT_FOUND + REFUSED,
            ),
        ]

    async def suggest(
        self, request: Request, principal: Principal, query: CoverQuery
    ) -> CoverSuggestionModel:
        """GET /api/connections/{id}/cover. Raises NotOnCall, CoverRefused."""
        snapshot, suggestion = await self._covers.suggest(
            principal, request.path_params["id"], query.schedule, query.user, _span(query)
        )
        document = suggestion_document(suggestion, may_see(snapshot, principal.persons))
        return CoverSuggestionModel.model_validate(document)

    async def list(
        self, request: Request, principal: Principal, query: CoverRequestListQuery
    ) -> CoverRequestListModel:
        """GET /api/connections/{id}/cover-requests"""
        connection_id = request.path_params["id"]
        snapshot = await self._snapshots.get(principal.visibility, connection_id)
        found = await self._covers.list_requests(principal, connection_id, query.limit, query.state)
        admits = may_see(snapshot, principal.persons)
        return CoverRequestListModel(
            requests=[_model(item, snapshot, principal) for item in found if any(map(admits, item.people))]
        )

    async def ask(self, request: Request, principal: Principal, query: CoverQuery) -> CoverRequestModel:
        """POST /api/connections/{id}/cover-requests. Raises NotOnCall, CoverRefused, NotPermitted."""
        connection_id = request.path_params["id"]
        snapshot, suggestion = await self._covers.suggest(
            principal, connection_id, query.schedule, query.user, _span(query)
        )
        _require_right_over(snapshot, principal, query.user)
        made = await self._covers.ask(principal, suggestion, connection_id, _span(query))
        return _model(made, snapshot, principal)

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> CoverRequestModel:
        """GET /api/cover-requests/{id}. Raises ResourceNotFound."""
        found, snapshot = await self._request(request, principal)
        return _model(found, snapshot, principal)

    async def answer(
        self, request: Request, principal: Principal, body: CoverAnswerBody
    ) -> CoverRequestModel:
        """POST /api/cover-requests/{id}/answer. Raises ResourceNotFound, CoverRefused, NotPermitted, and what
        a tool call's admission raises.
        """
        found, snapshot = await self._request(request, principal)
        answer = CoverAnswer(body.answer)
        for_whom = found.user_id if answer is CoverAnswer.WITHDRAW else body.user_id or principal.person
        if for_whom is None:
            raise CoverRefused("user_id: this key belongs to no person of PagerDuty; say for whom you answer")
        _require_right_over(snapshot, principal, for_whom)
        call: ToolCall | None = None
        if answer is CoverAnswer.ACCEPT:
            found, call = await self._covers.accept(principal, channel_of(request), found, for_whom)
            await self._start(call)
        else:
            found = await self._covers.answer(principal, found, answer, for_whom)
        await self._tell(found)
        return _model(found, snapshot, principal, call)

    async def _request(
        self, request: Request, principal: Principal
    ) -> tuple[CoverRequest, AccountSnapshot | None]:
        """Return a request that is about a person whom the principal may see, and the newest snapshot."""
        request_id = request.path_params["id"]
        found = require(await self._covers.get(principal, request_id), "request for cover", request_id)
        try:
            snapshot = await self._snapshots.get(principal.visibility, found.connection_id)
        except (SnapshotNotFound, SnapshotUnreadable):
            snapshot = None
        seen = principal.persons.everybody or any(_admits(snapshot, principal, key) for key in found.people)
        return require(found if seen else None, "request for cover", request_id), snapshot

    async def _start(self, call: ToolCall) -> None:
        """Start the call's workflow. If Temporal is away, the sweeper of tool calls starts it later."""
        if call.state in OPEN_STATES:
            try:
                await self._dispatcher.resume(call)
            except TemporalUnavailable:
                logger.warning("cover_call_waits_for_temporal", extra={"call": call.id})

    async def _tell(self, found: CoverRequest) -> None:
        """Tell the night's workflow. Without the signal, it would look at its next timer."""
        if found.reason is not CoverReason.ROUGH_NIGHT or not self._temporal.connected:
            return
        workflow_id = names.rough_night_workflow_id(found.id.removeprefix("cover_"))
        try:
            handle = self._temporal.client.get_workflow_handle(workflow_id)
            await handle.signal(names.SIGNAL_COVER_ANSWERED)
        except (RPCError, TemporalUnavailable) as error:
            logger.info("cover_answer_not_told", extra={"error": type(error).__name__})


def _model(
    item: CoverRequest,
    snapshot: AccountSnapshot | None,
    principal: Principal,
    call: ToolCall | None = None,
) -> CoverRequestModel:
    def admits(user_id: str) -> bool:
        return _admits(snapshot, principal, user_id)

    state = None if call is None else str(call.state)
    return CoverRequestModel.model_validate({**request_document(item, snapshot, admits), "call_state": state})


def _admits(snapshot: AccountSnapshot | None, principal: Principal, user_id: str) -> bool:
    if snapshot is None:
        return principal.persons.admits((user_id,))
    return may_see(snapshot, principal.persons)(user_id)


def _require_right_over(snapshot: AccountSnapshot | None, principal: Principal, user_id: str) -> None:
    """Raises NotPermitted unless it is the principal's own person, or one whom the principal manages."""
    if user_id == principal.person:
        return
    is_manager = principal.persons.everybody or (
        snapshot is not None and manages(snapshot, principal.persons, user_id)
    )
    if not is_manager:
        raise NotPermitted("only the person, or a manager's key, asks and answers for somebody")


def _span(query: CoverQuery) -> Span:
    return Span(_seconds(query.since), _seconds(query.until))


def _seconds(moment: datetime) -> int:
    return int(to_utc(moment).timestamp())
