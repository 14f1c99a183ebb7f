"""One row per endpoint. The routes and the OpenAPI document are made from the rows.

A row names its input model and its answer model, and mypy checks both against the handler.
Type a list of rows as `Sequence[EndpointRow]`: in a `list[Endpoint[Any, Any]]` mypy would check nothing.
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
from ingress.api.key_limits import REQUESTS
from ingress.api.models import Model
from ingress.api.untrusted_reads import save_read_of_request

MAX_BODY_BYTES = 256 * 1024
#: Methods with parameters in the query. The other methods have a body.
QUERY_METHODS = frozenset({"GET", "DELETE"})


class NoInput(Model):
    """The input of an endpoint that ignores the request's query and body."""


Input = TypeVar("Input", bound=Model)
Answer = TypeVar("Answer", bound=BaseModel)
Handler: TypeAlias = Callable[[Request, Principal, Input], Awaitable[Answer | Response]]
PublicHandler: TypeAlias = Callable[[Request], Awaitable[Answer | Response]]


@dataclass(frozen=True, slots=True)
class Json(Generic[Answer]):
    """The answer is JSON of this model, with this status. `example` is such a JSON value."""

    model: type[Answer]
    _: KW_ONLY
    status: int = 200
    example: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """The answer is a document of this media type, or of `also`, as the caller asks; with status 200."""

    type: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointRow(ABC):
    """The fields of every endpoint, public or not."""

    method: str
    path: str
    summary: str
    answers: Json[Any] | Media
    _: KW_ONLY
    #: Further statuses of the endpoint, each with its description.
    statuses: tuple[tuple[int, str], ...] = ()
    #: The model of their bodies; None for the usual error object.
    refuses_with: type[BaseModel] | None = None

    @abstractmethod
    async def answer(self, request: Request, database: Database) -> Response:
        """Answer a request. Raises only errors of `ingress.api.error_table.STATUS_OF_ERROR`."""

    def response(self, answer: BaseModel | Response) -> Response:
        """Return the HTTP response for a model. A `Response` from the handler is returned unchanged."""
        if isinstance(answer, Response):
            return answer
        status = self.answers.status if isinstance(self.answers, Json) else 200
        return Response(answer.model_dump_json(), status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Endpoint(EndpointRow, Generic[Input, Answer]):
    """An endpoint that requires an API key with `permission`."""

    answers: Json[Answer] | Media
    _: KW_ONLY
    permission: str
    #: The model of the query (GET, DELETE) or of the body.
    takes: type[Input]
    handler: Handler[Input, Answer]

    async def answer(self, request: Request, database: Database) -> Response:
        """Authenticate, parse the input, call the handler.

        Raises NotAuthenticated, NotPermitted, TooMuchAtOnce, ValidationError, BodyTooLarge,
        StoreUnavailable, and the handler's errors.
        """
        principal = await authenticate(database, request, self.permission)
        with REQUESTS.taken(principal.key_id):
            answer = await self.handler(request, principal, await self._parse_input(request))
            await save_read_of_request(database, principal, request, self.path)
            return self.response(answer)

    async def _parse_input(self, request: Request) -> Input:
        if self.takes is NoInput:
            return self.takes()
        if self.method in QUERY_METHODS:
            return self.takes.model_validate(query_values(request, self.takes))
        return self.takes.model_validate_json(await read_body(request))


@dataclass(frozen=True, slots=True)
class PublicEndpoint(EndpointRow, Generic[Answer]):
    """An endpoint that needs no API key."""

    answers: Json[Answer] | Media
    _: KW_ONLY
    handler: PublicHandler[Answer]

    async def answer(self, request: Request, database: Database) -> Response:
        """Raises what the handler raises."""
        return self.response(await self.handler(request))


def routes(rows: Sequence[EndpointRow], database: Database) -> list[Route]:
    """Return Starlette's routes, one per path, so that a 405 names all its methods.

    Starlette answers HEAD wherever a row has GET.
    """
    by_path: dict[str, dict[str, EndpointRow]] = {}
    for row in rows:
        by_path.setdefault(row.path, {})[row.method] = row
    return [
        Route(path, _handler(methods, database), methods=list(methods)) for path, methods in by_path.items()
    ]


def _handler(rows: Mapping[str, EndpointRow], database: Database) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        row = rows["GET" if request.method == "HEAD" else request.method]
        return await row.answer(request, database)

    return handler


async def read_body(request: Request, most: int = MAX_BODY_BYTES) -> bytes:
    """Return the body of at most so many bytes, or `{}` if it is empty. Raises BodyTooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge(f"the request's body is larger than {most // 1024} KiB")
    return bytes(body) or b"{}"


def query_values(request: Request, model: type[BaseModel]) -> dict[str, Any]:
    """Return the query's parameters: a list where the model's field is a list, else the last value."""
    values: dict[str, Any] = {}
    for name in request.query_params:
        field = model.model_fields.get(name)
        is_list = field is not None and get_origin(field.annotation) is list
        values[name] = request.query_params.getlist(name) if is_list else request.query_params[name]
    return values
