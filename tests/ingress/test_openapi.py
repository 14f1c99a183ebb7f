"""The OpenAPI document is complete, valid and true."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from starlette.routing import Route

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.pagerduty.event_types import EventType
from ingress.app import build_app
from tests.support.builders import an_event, body_of, headers_for, new_id
from tests.support.doors import Doorway, make_key, open_doorway, save_pending


async def document_of(doorway: Doorway) -> dict[str, Any]:
    answer = await doorway.client.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for part in value.values() for found in references(part)]
    return [found for part in value for found in references(part)] if isinstance(value, list) else []


async def test_every_route_is_in_the_document_and_no_other(doorway: Doorway) -> None:
    document = await document_of(doorway)
    written = {(path, method.upper()) for path, row in document["paths"].items() for method in row}
    routes = [
        route
        for route in build_app(doorway.ingress).routes
        if isinstance(route, Route) and route.include_in_schema
    ]
    assert written == {
        (route.path, method) for route in routes for method in route.methods or () if method != "HEAD"
    }


async def test_the_document_is_well_formed(doorway: Doorway) -> None:
    document = await document_of(doorway)
    assert document["openapi"].startswith("3.1.")
    schemas = document["components"]["schemas"]
    assert {name.rsplit("/", 1)[1] for name in references(document)} <= set(schemas)
    for schema in schemas.values():
        validator_for({"$schema": Draft202012Validator.META_SCHEMA["$id"]}).check_schema(schema)
    operations = [operation for row in document["paths"].values() for operation in row.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for path, row in document["paths"].items():
        for operation in row.values():
            assert operation["responses"]
            in_path = {
                parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"
            }
            assert in_path == set(re.findall(r"{(\w+)}", path))
            for parameter in operation["parameters"]:
                Draft202012Validator.check_schema(parameter["schema"])


async def test_guarded_endpoints_say_so_and_open_ones_do_not(doorway: Doorway) -> None:
    document = await document_of(doorway)
    for path, row in document["paths"].items():
        for method, operation in row.items():
            answer = await doorway.client.request(method, path.replace("{id}", "iss_x"))
            guarded = answer.status_code == 401 and "WWW-Authenticate" in answer.headers
            assert guarded is bool(operation.get("security")), path


def check(document: dict[str, Any], answer: httpx.Response, path: str, method: str = "get") -> None:
    """The answer has a status that the document names, and a body as it describes."""
    [(media, content)] = document["paths"][path][method]["responses"][str(answer.status_code)][
        "content"
    ].items()
    assert answer.headers["content-type"].startswith(media)
    schema = {**content["schema"], "components": document["components"]}
    body = answer.json() if media == "application/json" else answer.text
    Draft202012Validator(schema).validate(body)


async def test_each_answer_of_the_api_is_as_described(doorway: Doorway) -> None:
    document = await document_of(doorway)
    await doorway.deliver(doorway.a_webhook(), an_event(EventType.TRIGGERED, new_id()))
    save_pending(doorway.database)
    key = make_key(doorway.database, ["issues:read", "metrics:read"])
    powerless = make_key(doorway.database, [])

    async def get(path: str, headers: dict[str, str] = key) -> httpx.Response:
        return await doorway.client.get(path, headers=headers)

    page = await get("/api/issues")
    [issue] = page.json()["issues"]
    check(document, page, "/api/issues")
    check(document, await get("/api/issues?limit=x"), "/api/issues")
    check(document, await get("/api/issues?cursor=x"), "/api/issues")
    check(document, await get("/api/issues", {}), "/api/issues")
    check(document, await get("/api/issues", powerless), "/api/issues")
    check(document, await get("/api/issues/events?after=-1"), "/api/issues/events")
    check(document, await get(f"/api/issues/{issue['id']}"), "/api/issues/{id}")
    check(document, await get("/api/issues/iss_x"), "/api/issues/{id}")
    check(document, await get("/healthz"), "/healthz")
    check(document, await get("/readyz"), "/readyz")
    check(document, await get("/metrics"), "/metrics")
    check(document, await get("/openapi.json"), "/openapi.json")


@pytest.mark.parametrize("status", [202, 401, 404, 410, 413, 429, 503])
async def test_each_answer_of_the_door_is_as_described(
    database: Database, keyring: Keyring, tmp_path: Path, status: int
) -> None:
    body = body_of(an_event(EventType.TRIGGERED, new_id()))
    headers = headers_for(body)
    async with open_doorway(database, keyring, tmp_path, webhook_rate=0.001, webhook_burst=1) as doorway:
        webhook = doorway.a_webhook()
        match status:
            case 401:
                headers = {}
            case 404:
                webhook = "wh_x"
            case 410:
                webhook = doorway.a_webhook(deleted_at=datetime.now(UTC))
            case 413:
                headers["Content-Length"] = "999999"
            case 429:
                await doorway.post(webhook, body, headers)
            case 503:
                doorway.ingress.close()
        answer = await doorway.post(webhook, body, headers)
        assert answer.status_code == status
        check(await document_of(doorway), answer, "/webhooks/pagerduty/{webhook_id}", "post")
