"""One row per endpoint: the routes and the OpenAPI document are both made from the rows.

A row names the model that it takes and the model that it answers, and mypy compares both with the handler.
A list of rows is a `Sequence[Row]`: in a `list[Endpoint[Any, Any]]` mypy would compare nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Generic, TypeAlias, TypeVar, get_origin

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from ingress.api.authentication import authenticate
from ingress.api.errors import BodyTooLarge
from ingress.api.models import Model

MAX_BODY_BYTES = 256 * 1024
#: Methods whose parameters stand in the query; the others take a body.
QUERY_METHODS = frozenset({"GET", "DELETE"})


class NoInput(Model):
    """What an endpoint takes that takes nothing: its request's query and body are not looked at."""


Input = TypeVar("Input", bound=Model)
Answer = TypeVar("Answer", bound=BaseModel)
Handler: TypeAlias = Callable[[Request, Principal, Input], Awaitable[Answer | Response]]
PublicHandler: TypeAlias = Callable[[Request], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True)
class Json(Generic[Answer]):
    """The answer is this model, with this status. `example` is what such a model would dump."""

    model: type[Answer]
    _: KW_ONLY
    status: int = 200
    example: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """The answer is a document of this media type, with status 200."""

    type: str


@dataclass(frozen=True, slots=True)
class EndpointRow(ABC):
    """What every endpoint says of itself."""

    method: str
    path: str
    summary: str
    answers: Json[Any] | Media
    _: KW_ONLY
    #: Further statuses that the endpoint may answer with, in words.
    statuses: tuple[tuple[int, str], ...] = ()
    #: What their bodies hold, if not an error's status and message.
    refuses_with: type[BaseModel] | None = None

    @abstractmethod
    async def answer(self, request: Request, database: Database) -> Response:
        """Answer a request. Raises what `ingress.api.errors` has a status for."""

    def response(self, answer: BaseModel | Response) -> Response:
        """Return a model as the row's answer; a handler's own response stays as it is."""
        if isinstance(answer, Response):
            return answer
        status = self.answers.status if isinstance(self.answers, Json) else 200
        return Response(answer.model_dump_json(), status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Endpoint(EndpointRow, Generic[Input, Answer]):
    """An endpoint for whoever has an API key with `permission`."""

    answers: Json[Answer] | Media
    _: KW_ONLY
    permission: str
    #: The query's parameters with GET and DELETE, else the body.
    takes: type[Input]
    handler: Handler[Input, Answer]

    async def answer(self, request: Request, database: Database) -> Response:
        """Raises NotAuthenticated, NotPermitted, ValidationError, BodyTooLarge, StoreUnavailable."""
        principal = await authenticate(database, request, self.permission)
        return self.response(await self.handler(request, principal, await self._parse_input(request)))

    async def _parse_input(self, request: Request) -> Input:
        if self.takes is NoInput:
            return self.takes()
        if self.method in QUERY_METHODS:
            return self.takes.model_validate(_query(request, self.takes))
        return self.takes.model_validate_json(await read_body(request))


@dataclass(frozen=True, slots=True)
class PublicEndpoint(EndpointRow, Generic[Answer]):
    """An endpoint without API key."""

    answers: Json[Answer] | Media
    _: KW_ONLY
    handler: PublicHandler[Answer]

    async def answer(self, request: Request, database: Database) -> Response:
        """Raises what the handler raises."""
        return self.response(await self.handler(request))


def routes(rows: Sequence[EndpointRow], database: Database) -> list[Route]:
    """Make Starlette's routes. It answers HEAD wherever it answers GET."""
    return [Route(row.path, _handler(row, database), methods=[row.method]) for row in rows]


def _handler(row: EndpointRow, database: Database) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        return await row.answer(request, database)

    return handler


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
