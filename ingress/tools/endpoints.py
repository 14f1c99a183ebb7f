"""REST endpoints for tools, tool calls, approvals and the audit chain."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.permissions import APPROVALS_WRITE, AUDIT_READ, TOOLS_READ, TOOLS_TEMPORAL
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.reading_service import readable_call
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import PrincipalRights, judge
from ingress.api.calls import (
    CALL_STATUSES,
    HTTP_STATUS_OF_STATE,
    NO_SUCH_RESOURCE,
    channel_of,
    idempotency_key_of,
)
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import TooMuchAtOnce
from ingress.api.finding import require_connection
from ingress.api.models import Links
from ingress.tools.models import (
    AuditPageModel,
    AuditQuery,
    DecisionBody,
    OrderBody,
    OrderModel,
    SignedOrderModel,
    ToolCallBody,
    ToolCallListModel,
    ToolCallListQuery,
    ToolCallModel,
    ToolListModel,
    ToolListQuery,
    VerificationModel,
    VerificationQuery,
    audit_row_model,
    call_model,
    tool_model,
)
from ingress.tools.service import CallResult, ToolCallDispatcher

NOT_FOUND = (NO_SUCH_RESOURCE,)
ORDER_STATUSES = (NO_SUCH_RESOURCE, (403, "the call is not allowed; the body names the rule"))


class ToolEndpoints:
    """Endpoints for tools, tool calls and the audit chain. Errors: `ingress.api.errors`."""

    def __init__(
        self, database: Database, keyring: Keyring, dispatcher: ToolCallDispatcher, links: Links
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._dispatcher = dispatcher
        self._links = links
        self._verifying = asyncio.Lock()

    def endpoints(self) -> "list[EndpointRow]":
        return [
            Endpoint(
                "GET",
                "/api/tools",
                "List tools, and whether this API key may use them",
                Json(ToolListModel),
                permission=TOOLS_READ,
                takes=ToolListQuery,
                handler=self.list,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/tools/{name}",
                "Call a tool",
                Json(ToolCallModel),
                permission=TOOLS_READ,
                takes=ToolCallBody,
                handler=self.call,
                statuses=CALL_STATUSES,
            ),
            Endpoint(
                "POST",
                "/api/tools/{name}/orders",
                "Sign the order of a call, which a workflow of another service then makes through Temporal",
                Json(SignedOrderModel),
                permission=TOOLS_TEMPORAL,
                takes=OrderBody,
                handler=self.sign_order,
                statuses=ORDER_STATUSES,
            ),
            Endpoint(
                "GET",
                "/api/tool-calls",
                "List stored tool calls, newest first",
                Json(ToolCallListModel),
                permission=TOOLS_READ,
                takes=ToolCallListQuery,
                handler=self.list_calls,
            ),
            Endpoint(
                "GET",
                "/api/tool-calls/{id}",
                "Show a tool call and its result",
                Json(ToolCallModel),
                permission=TOOLS_READ,
                takes=NoInput,
                handler=self.show_call,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/tool-calls/{id}/approve",
                "Approve a tool call that waits",
                Json(ToolCallModel),
                permission=APPROVALS_WRITE,
                takes=DecisionBody,
                handler=self.approve,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "POST",
                "/api/tool-calls/{id}/deny",
                "Deny a tool call that waits",
                Json(ToolCallModel),
                permission=APPROVALS_WRITE,
                takes=DecisionBody,
                handler=self.deny,
                statuses=NOT_FOUND,
            ),
            Endpoint(
                "GET",
                "/api/audit",
                "List audit rows, newest first",
                Json(AuditPageModel),
                permission=AUDIT_READ,
                takes=AuditQuery,
                handler=self.list_audit,
            ),
            Endpoint(
                "GET",
                "/api/audit/verification",
                "Verify the audit hash chain",
                Json(VerificationModel),
                permission=AUDIT_READ,
                takes=VerificationQuery,
                handler=self.verify_audit,
            ),
        ]

    async def list(self, _request: Request, principal: Principal, query: ToolListQuery) -> ToolListModel:
        """GET /api/tools"""
        connection = await self._connection(principal, query.connection)
        rights = PrincipalRights(principal.permissions, principal.teams)
        return ToolListModel(
            tools=[
                tool_model(
                    tool,
                    None if connection is None else judge(tool, rights, connection.rules, connection.facts),
                )
                for tool in TOOLS.values()
                if not query.category or tool.category in query.category
            ]
        )

    async def call(self, request: Request, principal: Principal, body: ToolCallBody) -> Response:
        """POST /api/tools/{name}. The header Idempotency-Key works like the body's field."""
        answer = await self._dispatcher.call(
            principal,
            channel_of(request),
            body.connection,
            request.path_params["name"],
            body.arguments,
            body.idempotency_key or idempotency_key_of(request),
            body.wait_seconds,
        )
        model = self.answer_model(answer, request.path_params["name"])
        return Response(
            model.model_dump_json(), HTTP_STATUS_OF_STATE[answer.state], media_type="application/json"
        )

    async def sign_order(self, request: Request, principal: Principal, body: OrderBody) -> SignedOrderModel:
        """POST /api/tools/{name}/orders"""
        signed = await self._dispatcher.sign_order(
            principal, body.connection, request.path_params["name"], body.arguments, body.idempotency_key
        )
        return SignedOrderModel(
            order=OrderModel(**signed.order.model_dump(mode="json")), expires_at=signed.expires_at
        )

    async def show_call(self, request: Request, principal: Principal, _nothing: NoInput) -> ToolCallModel:
        """GET /api/tool-calls/{id}"""
        return call_model(await self._dispatcher.get_call(principal, request.path_params["id"]), self._links)

    async def list_calls(
        self, _request: Request, principal: Principal, query: ToolCallListQuery
    ) -> ToolCallListModel:
        """GET /api/tool-calls"""
        now = datetime.now(UTC)

        def read(tx: Transaction) -> Sequence[ToolCall]:
            found = tool_calls.list_calls(tx, principal.visibility, frozenset(query.state), query.limit)
            return [readable_call(tx, principal, call, now) for call in found]

        calls = await self._database.read(read, principal.visibility)
        return ToolCallListModel(calls=[call_model(call, self._links) for call in calls])

    async def approve(self, request: Request, principal: Principal, body: DecisionBody) -> ToolCallModel:
        """POST /api/tool-calls/{id}/approve"""
        return await self._decide(request, principal, body, approve=True)

    async def deny(self, request: Request, principal: Principal, body: DecisionBody) -> ToolCallModel:
        """POST /api/tool-calls/{id}/deny"""
        return await self._decide(request, principal, body, approve=False)

    async def list_audit(self, _request: Request, principal: Principal, query: AuditQuery) -> AuditPageModel:
        """GET /api/audit"""
        rows = await self._database.read(
            lambda t: audit.list_audit_rows(t, principal.visibility, query.limit, query.before),
            principal.visibility,
        )
        return AuditPageModel(rows=[audit_row_model(row) for row in rows])

    async def verify_audit(
        self, _request: Request, _principal: Principal, query: VerificationQuery
    ) -> VerificationModel:
        """GET /api/audit/verification: verify all scopes' rows. The answer holds only hashes and counts.

        It reads the whole chain, so a process verifies it for nobody else meanwhile. Raises TooMuchAtOnce.
        """
        if self._verifying.locked():
            raise TooMuchAtOnce("the audit is being verified already; try again in a minute")
        async with self._verifying:
            result = await self._database.read(
                lambda transaction: audit.verify_chain(transaction, self._keyring, query.head)
            )
        return VerificationModel(
            whole=result.broken is None,
            rows=result.rows,
            head=result.head,
            broken=result.broken,
            sealed_rows=result.sealed_rows,
            signed_rows=result.signed_rows,
            signed_from=result.signed_from,
        )

    def answer_model(self, answer: CallResult, tool: str) -> ToolCallModel:
        if answer.call is not None:
            return call_model(answer.call, self._links)
        return ToolCallModel(
            state=answer.state,
            tool=tool,
            result=None if answer.result is None else dict(answer.result),
            error=None if answer.error is None else dict(answer.error),
        )

    async def _decide(
        self, request: Request, principal: Principal, body: DecisionBody, approve: bool
    ) -> ToolCallModel:
        call = await self._dispatcher.decide(
            principal, request.path_params["id"], approve, body.arguments_sha256
        )
        return call_model(call, self._links)

    async def _connection(self, principal: Principal, connection_id: str | None) -> Connection | None:
        if connection_id is None:
            return None
        return await self._database.read(
            lambda t: require_connection(t, principal.visibility, connection_id), principal.visibility
        )
