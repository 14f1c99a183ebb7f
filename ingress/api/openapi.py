"""The OpenAPI document, made from the rows that also make the routes."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ingress.api.endpoints import Endpoint

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "message"],
            "properties": {
                "status": {"type": "integer"},
                "message": {"type": "string"},
                "rule": {"type": "string"},
            },
        }
    },
}
_ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
_GUARDED = (
    (401, "no valid API key"),
    (403, "the key lacks the permission"),
    (503, "the database can't be reached; try again"),
)
_ASKED = ((400, "a parameter is wrong; the message names it"),)
_LARGE = (413, "the body is too large")
#: What an answer holds that no model of ours describes.
_SCHEMA_OF_MEDIA: Mapping[str, dict[str, Any]] = {
    "application/json": {"type": "object"},
    "application/x-ndjson": {"type": "string"},
    "image/svg+xml": {"type": "string"},
    "text/event-stream": {"type": "string"},
    "text/markdown": {"type": "string"},
    "text/plain": {"type": "string"},
}


def openapi_document(endpoints: Sequence[Endpoint], url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these endpoints."""
    models = {one.answers for one in endpoints if isinstance(one.answers, type)}
    models |= {one.refuses_with for one in endpoints if one.refuses_with}
    taken = {one.body for one in endpoints if one.body}
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "serialization") for model in models]
    modes += [(model, "validation") for model in taken]
    schemas, definitions = models_json_schema(
        sorted(modes, key=lambda one: (one[0].__name__, one[1])),
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, lambda model: schemas[(model, "serialization")])
        if endpoint.body:
            content = {"application/json": {"schema": schemas[(endpoint.body, "validation")]}}
            operation["requestBody"] = {"required": False, "content": content}
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Calmo PagerDuty",
            "version": "1",
            "description": "Issues from PagerDuty incidents, and PagerDuty tools under permission.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, schema_of: Callable[[type[BaseModel]], Any]) -> dict[str, Any]:
    if isinstance(endpoint.answers, str):
        media, schema = endpoint.answers, _SCHEMA_OF_MEDIA[endpoint.answers]
    else:
        media, schema = "application/json", schema_of(endpoint.answers)
    content = (
        {"schema": schema} if endpoint.example is None else {"schema": schema, "example": endpoint.example}
    )
    responses: dict[str, Any] = {
        str(endpoint.success): {"description": "as asked", "content": {media: content}}
    }
    refusal = schema_of(endpoint.refuses_with) if endpoint.refuses_with else _ERROR_REFERENCE
    for status, words in endpoint.statuses:
        # What hasn't changed is not sent again.
        responses[str(status)] = {"description": words} if status == 304 else _refusal(words, refusal)
    for status, words in _refusals_of_the_api(endpoint):
        responses[str(status)] = _refusal(words, _ERROR_REFERENCE)
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.path}").strip("_"),
        "parameters": _path_parameters(endpoint.path) + _query_parameters(endpoint.query),
        "responses": responses,
    }
    if endpoint.permission:
        operation["security"] = [{"apiKey": []}]
    return operation


def _refusals_of_the_api(endpoint: Endpoint) -> tuple[tuple[int, str], ...]:
    guarded = _GUARDED if endpoint.permission else ()
    guarded = (*guarded, *_ASKED) if endpoint.query or endpoint.body else guarded
    return (*guarded, _LARGE) if endpoint.body else guarded


def _refusal(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    definitions = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": _inlined(field, definitions)}
        for name, field in schema["properties"].items()
    ]


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Put referred definitions in their place: a parameter has no components of its own."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
        return {name: _inlined(value, definitions) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, definitions) for value in schema]
    return schema
