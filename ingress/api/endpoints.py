"""One row per endpoint: the routes and the OpenAPI document are both made from the rows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_origin

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from calmo_pagerduty.store.api_keys import Caller
from calmo_pagerduty.store.database import Database
from ingress.api.authentication import authenticate
from ingress.api.errors import BodyTooLarge
from ingress.issues.models import Model

MAX_BODY_BYTES = 256 * 1024

ApiHandler = Callable[[Request, Caller, Model | None], Awaitable[Model | Response]]
OpenHandler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`permission` None is an endpoint without API key (`open` then handles it)."""

    method: str
    path: str
    summary: str
    answers: type[BaseModel] | str
    permission: str | None = None
    query: type[Model] | None = None
    #: What the request's body holds; the handler gets it in place of a query.
    body: type[Model] | None = None
    handler: ApiHandler | None = None
    open: OpenHandler | None = None
    #: Further statuses that the endpoint may answer with, in words.
    statuses: tuple[tuple[int, str], ...] = ()
    #: What their bodies hold, if not an error's status and message.
    refuses_with: type[BaseModel] | None = None
    success: int = 200
    #: An answer as the document shows it: what the model would dump.
    example: Mapping[str, Any] | None = None


def routes(endpoints: Sequence[Endpoint], database: Database) -> list[Route]:
    """Make Starlette's routes. It answers HEAD wherever it answers GET."""
    made = []
    for endpoint in endpoints:
        handler = endpoint.open or _guarded(endpoint, database)
        route = Route(endpoint.path, handler, methods=[endpoint.method])
        made.append(route)
    return made


def _guarded(endpoint: Endpoint, database: Database) -> OpenHandler:
    permission, handle = endpoint.permission, endpoint.handler
    assert permission is not None
    assert handle is not None

    async def handler(request: Request) -> Response:
        caller = await authenticate(database, request, permission)
        result = await handle(request, caller, await _given(request, endpoint))
        if isinstance(result, Response):
            return result
        return Response(result.model_dump_json(), endpoint.success, media_type="application/json")

    return handler


async def _given(request: Request, endpoint: Endpoint) -> Model | None:
    """Return the query or the body that the endpoint takes. Raises ValidationError, BodyTooLarge."""
    if endpoint.body is not None:
        return endpoint.body.model_validate_json(await read_body(request))
    if endpoint.query is not None:
        return endpoint.query.model_validate(_query(request, endpoint.query))
    return None


async def read_body(request: Request) -> bytes:
    """Return the body; an empty one is an empty object. Raises BodyTooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"a request's body is at most {MAX_BODY_BYTES // 1024} KiB")
    return bytes(body) or b"{}"


def _query(request: Request, model: type[Model]) -> dict[str, Any]:
    """Collect the parameters: a repeated one is a list where the model has a list."""
    given: dict[str, Any] = {}
    for name in request.query_params:
        field = model.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) is list
        given[name] = request.query_params.getlist(name) if many else request.query_params[name]
    return given
