"""mypy compares each endpoint's row with its handler: the models that it takes and that it answers.

`make check` reads this file, nothing runs it. A wrong row that mypy let pass would have a comment that is not
needed, which is an error too (`warn_unused_ignores`).
"""

from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.store import Principal
from ingress.api.endpoints import Endpoint, EndpointRow, Json, Media, NoInput, PublicEndpoint
from ingress.api.models import HealthModel, NoBody, ReadinessModel


async def checked(request: Request, caller: Principal, body: NoBody) -> HealthModel:
    raise NotImplementedError


async def page(request: Request, caller: Principal, nothing: NoInput) -> Response:
    raise NotImplementedError


async def public(request: Request) -> HealthModel:
    raise NotImplementedError


right: list[EndpointRow] = [
    Endpoint("POST", "/", "", Json(HealthModel), permission="p", takes=NoBody, handler=checked),
    Endpoint("GET", "/", "", Media("text/plain"), permission="p", takes=NoInput, handler=page),
    PublicEndpoint("GET", "/", "", Json(HealthModel), handler=public),
]
wrong: list[EndpointRow] = [
    Endpoint("POST", "/", "", Json(ReadinessModel), permission="p", takes=NoBody, handler=checked),  # type: ignore[arg-type]  # mypy must find this mistake
    Endpoint("POST", "/", "", Json(HealthModel), permission="p", takes=NoInput, handler=checked),  # type: ignore[arg-type]  # mypy must find this mistake
    Endpoint("POST", "/", "", Json(HealthModel), takes=NoBody, handler=checked),  # type: ignore[call-arg]  # mypy must find this mistake
    PublicEndpoint("GET", "/", "", Json(ReadinessModel), handler=public),  # type: ignore[arg-type]  # mypy must find this mistake
    PublicEndpoint("GET", "/", "", Json(HealthModel), handler=checked),  # type: ignore[arg-type]  # mypy must find this mistake
]
