"""REST endpoints for actions: act on an issue, list its operations."""

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import action_store as operations
from calmo_pagerduty.incidents.actions import Operation
from ingress.api.calls import CALL_STATUSES, HTTP_STATUS_OF_STATE, channel_of, idempotency_key_of
from ingress.api.endpoints import Endpoint, EndpointRow, Json
from ingress.api.finding import SEVERAL_ISSUES, require_issue
from ingress.api.models import Links
from ingress.incidents.action_models import (
    ActionBody,
    ActionModel,
    OperationListModel,
    OperationListQuery,
    action_model,
    operation_model,
)
from ingress.incidents.action_service import ActionService

NO_ISSUE = (404, "there is no such issue, or this API key may not see it")
ACTION_STATUSES = (
    NO_ISSUE,
    (
        409,
        "the incident's state forbids the action, the idempotency key was used before, or several connections"
        " have an issue of the incident",
    ),
    *(row for row in CALL_STATUSES if row[0] not in {404, 409}),
)


class ActionEndpoints:
    """Endpoints for actions. Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, action_service: ActionService, links: Links) -> None:
        self._database = database
        self._action_service = action_service
        self._links = links

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "POST",
                "/api/issues/{id}/actions",
                "Act on the issue's incident in PagerDuty",
                Json(ActionModel),
                permission=ISSUES_READ,
                takes=ActionBody,
                handler=self.act,
                statuses=ACTION_STATUSES,
            ),
            Endpoint(
                "GET",
                "/api/issues/{id}/actions",
                "List the issue's operations, newest first",
                Json(OperationListModel),
                permission=ISSUES_READ,
                takes=OperationListQuery,
                handler=self.list,
                statuses=(NO_ISSUE, SEVERAL_ISSUES),
            ),
        ]

    async def act(self, request: Request, principal: Principal, body: ActionBody) -> Response:
        """POST /api/issues/{id}/actions. The header Idempotency-Key works like the body's field."""
        answer = await self._action_service.act(
            principal,
            channel_of(request),
            request.path_params["id"],
            body.action,
            body.arguments,
            body.idempotency_key or idempotency_key_of(request),
            body.wait_seconds,
        )
        model = action_model(answer, self._links)
        status = HTTP_STATUS_OF_STATE[answer.call.state]
        return Response(model.model_dump_json(), status, media_type="application/json")

    async def list(
        self, request: Request, principal: Principal, query: OperationListQuery
    ) -> OperationListModel:
        """GET /api/issues/{id}/actions. Raises ResourceNotFound, Ambiguous, StoreUnavailable."""
        name, limit = request.path_params["id"], query.limit

        def read(transaction: Transaction) -> tuple[Operation, ...]:
            issue = require_issue(transaction, principal.visibility, name)
            return operations.list_operations(transaction, issue.ref.issue_id, limit)

        rows = await self._database.read(read, principal.visibility)
        return OperationListModel(operations=[operation_model(operation) for operation in rows])
