"""The OpenAPI document, made from the rows that also make the routes."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ingress.endpoints import Endpoint

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "message"],
            "properties": {"status": {"type": "integer"}, "message": {"type": "string"}},
        }
    },
}
_GUARDED = ((401, "no valid API key"), (403, "the key lacks the permission"))


def openapi_document(endpoints: Sequence[Endpoint], url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these endpoints."""
    models = [one.answers for one in endpoints if isinstance(one.answers, type)]
    schemas, definitions = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        answer = (
            schemas[(endpoint.answers, "serialization")]
            if isinstance(endpoint.answers, type)
            else endpoint.answers
        )
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, answer)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Calmo PagerDuty",
            "version": "1",
            "description": "Issues from PagerDuty incidents.",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, answer: dict[str, Any] | str) -> dict[str, Any]:
    media = answer if isinstance(answer, str) else "application/json"
    schema = {"type": "string"} if isinstance(answer, str) else answer
    responses: dict[str, Any] = {
        str(endpoint.success): {"description": "as asked", "content": {media: {"schema": schema}}}
    }
    refusals = (*endpoint.statuses, *(_GUARDED if endpoint.permission else ()))
    if endpoint.query is not None:
        refusals += ((400, "a parameter is wrong; the message names it"),)
    for status, words in refusals:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        responses[str(status)] = {"description": words, "content": content}
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.path}").strip("_"),
        "parameters": _path_parameters(endpoint.path) + _query_parameters(endpoint.query),
        "responses": responses,
    }
    if endpoint.permission:
        operation["security"] = [{"apiKey": []}]
    return operation


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
