"""Build the OpenAPI document from the endpoint rows."""

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ingress.api.endpoints import QUERY_METHODS, Endpoint, EndpointRow, Json, Media, NoInput
from ingress.api.models import Model

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
_AUTHENTICATION_REFUSALS = (
    (401, "the API key is missing or not valid"),
    (403, "the API key lacks the permission"),
    (429, "the API key has too much under way, or has reached the limit that the message names"),
    (503, "the database can't be reached; try again"),
)
_INPUT_REFUSALS = ((400, "a parameter is wrong; the message names it"),)
_SIZE_REFUSAL = (413, "the body is too large")
#: Component names that clients' generated code relies on, where they differ from our class names.
PUBLISHED_NAMES: Mapping[str, str] = {
    "Channel": "Face",
    "DependencyNode": "Reach",
    "DependencyView": "Surrounding",
    "EntityRef": "Thing",
    "ExplanationStepModel": "ingress__deliveries__explaining__StepModel",
    "PastResponse": "Handled",
    "UntrustedText": "Words",
    "ValidationOutcome": "Proof",
    "WebhookTestStepModel": "ingress__webhooks__models__StepModel",
}
#: The schema of an answer that is not a model.
_SCHEMA_OF_MEDIA: Mapping[str, dict[str, Any]] = {
    "application/json": {"type": "object"},
    "application/x-ndjson": {"type": "string"},
    "image/svg+xml": {"type": "string"},
    "text/csv": {"type": "string"},
    "text/event-stream": {"type": "string"},
    "text/html": {"type": "string"},
    "text/markdown": {"type": "string"},
    "text/plain": {"type": "string"},
}


def openapi_document(rows: Sequence[EndpointRow], url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these endpoints."""
    models = {row.answers.model for row in rows if isinstance(row.answers, Json)}
    models |= {row.refuses_with for row in rows if row.refuses_with}
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "serialization") for model in models]
    modes += [(body, "validation") for body in {_body_of(row) for row in rows} if body is not None]
    schemas, definitions = _schemas(tuple(sorted(modes, key=lambda mode: (mode[0].__name__, mode[1]))))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        operation = _operation(row, lambda model: schemas[(model, "serialization")])
        if body := _body_of(row):
            content = {"application/json": {"schema": schemas[(body, "validation")]}}
            operation["requestBody"] = {"required": False, "content": content}
        paths.setdefault(row.path, {})[row.method.lower()] = operation
    document = {
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
    return _with_published_names(document)


@functools.cache
def _schemas(
    modes: tuple[tuple[type[BaseModel], JsonSchemaMode], ...],
) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Return Pydantic's schemas, which the caller must not change. To make them costs a third of a second."""
    return models_json_schema(modes, ref_template="#/components/schemas/{model}")


def _with_published_names(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {
        PUBLISHED_NAMES.get(name, name): schema for name, schema in schemas.items()
    }
    text = json.dumps(document)
    for name, published in PUBLISHED_NAMES.items():
        text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{published}"')
        text = text.replace(f'"title": "{name}"', f'"title": "{published}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _query_of(row: EndpointRow) -> type[Model] | None:
    model = row.takes if isinstance(row, Endpoint) else NoInput
    return model if model is not NoInput and row.method in QUERY_METHODS else None


def _body_of(row: EndpointRow) -> type[Model] | None:
    model = row.takes if isinstance(row, Endpoint) else NoInput
    return model if model is not NoInput and row.method not in QUERY_METHODS else None


def _operation(row: EndpointRow, schema_of: Callable[[type[BaseModel]], Any]) -> dict[str, Any]:
    refusal = schema_of(row.refuses_with) if row.refuses_with else _ERROR_REFERENCE
    responses = _success(row.answers, schema_of)
    for status, description in row.statuses:
        # An answer 304 has no body.
        responses[str(status)] = (
            {"description": description} if status == 304 else _refusal(description, refusal)
        )
    for status, description in _refusals_of_the_api(row):
        responses[str(status)] = _refusal(description, _ERROR_REFERENCE)
    operation: dict[str, Any] = {
        "summary": row.summary,
        "operationId": re.sub(r"\W+", "_", f"{row.method.lower()}{row.path}").strip("_"),
        "parameters": _path_parameters(row.path) + _query_parameters(_query_of(row)),
        "responses": responses,
    }
    if isinstance(row, Endpoint):
        operation["security"] = [{"apiKey": []}]
    return operation


def _success(answers: Json[Any] | Media, schema_of: Callable[[type[BaseModel]], Any]) -> dict[str, Any]:
    if isinstance(answers, Media):
        content = {media: {"schema": _SCHEMA_OF_MEDIA[media]} for media in (answers.type, *answers.also)}
        return {"200": {"description": "success", "content": content}}
    media = {"schema": schema_of(answers.model)}
    if answers.example is not None:
        media["example"] = answers.example
    return {str(answers.status): {"description": "success", "content": {"application/json": media}}}


def _refusals_of_the_api(row: EndpointRow) -> tuple[tuple[int, str], ...]:
    if not isinstance(row, Endpoint):
        return ()
    if row.takes is NoInput:
        return _AUTHENTICATION_REFUSALS
    return (
        (*_AUTHENTICATION_REFUSALS, *_INPUT_REFUSALS, _SIZE_REFUSAL)
        if _body_of(row)
        else (*_AUTHENTICATION_REFUSALS, *_INPUT_REFUSALS)
    )


def _refusal(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


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
        {"name": name, "in": "query", "required": False, "schema": _inline_references(field, definitions)}
        for name, field in schema["properties"].items()
    ]


def _inline_references(schema: Any, definitions: dict[str, Any]) -> Any:
    """Replace each `$ref` by its definition, because a parameter's schema cannot have components."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline_references(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
        return {name: _inline_references(value, definitions) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_inline_references(value, definitions) for value in schema]
    return schema
