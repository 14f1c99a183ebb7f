"""Whether a request is one that PagerDuty documents: its published schema, as data, is asked."""

import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from calmo_pagerduty.pagerduty.requests import ApiRequest

FOLDER = Path(
    os.environ.get("CALMO_PAGERDUTY_REFERENCE") or Path(__file__).parents[3] / "shared" / "pagerduty"
)
_SPEC = FOLDER / "openapi-subset.json"

REFERENCE_IS_AT_HAND = _SPEC.is_file()

needs_reference = pytest.mark.skipif(
    not REFERENCE_IS_AT_HAND,
    reason="PagerDuty's published schema isn't at hand: set CALMO_PAGERDUTY_REFERENCE to its folder",
)

#: What we need though the schema doesn't know it, by operation: seen to work, or shown in its examples.
DEVIATIONS: dict[str, set[str]] = {
    "getIncident": {"query include[]=body"},
    # The schema calls the text an object, and requires a type that it doesn't describe.
    "createIncident": {"incident.body.details is not of type 'object'", "incident.body.type"},
    # The example wraps each target, the schema doesn't.
    "createIncidentResponderRequest": {"responder_request_targets.responder_request_target"},
    # The example has it.
    "createScheduleOverride": {"overrides.time_zone"},
    # Null is how PagerDuty says that a layer doesn't end.
    "updateSchedule": {"schedule.schedule_layers.end is not of type 'string'"},
}


def _listing(operation: str, scope: str, *query: str) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "schema": {}} for name in ("limit", "offset", "total", *query)
    ]
    return {"get": {"operationId": operation, "x-pd-requires-scope": scope, "parameters": parameters}}


_SERVICE: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "type": {"type": "string"}},
    "required": ["id", "type"],
}
_ENDS = {"supporting_service": _SERVICE, "dependent_service": _SERVICE}
_RELATIONSHIPS: dict[str, Any] = {
    "type": "object",
    "properties": {"relationships": {"type": "array", "items": {"type": "object", "properties": _ENDS}}},
}
#: Operations of PagerDuty's API reference that the published subset leaves out.
BEYOND_THE_SUBSET = {
    "/service_dependencies/associate": {
        "post": {
            "operationId": "createServiceDependency",
            "x-pd-requires-scope": "services.write",
            "parameters": [],
            "requestBody": {"content": {"application/json": {"schema": _RELATIONSHIPS}}},
        }
    },
    "/teams": _listing("listTeams", "teams.read", "query"),
    "/teams/{id}/members": _listing("listTeamUsers", "teams.read", "include[]"),
}

#: "The request body must be empty or `{}`": a rotation's events say all of it.
_CREATE_ROTATION: dict[str, Any] = {
    "post": {
        "operationId": "createRotation",
        "parameters": [],
        "requestBody": {
            "content": {"application/json": {"schema": {"type": "object", "additionalProperties": False}}}
        },
    }
}


#: Published examples of these, from the same reference.
_TEAM = {"id": "PQ9K7I8", "type": "team", "summary": "Engineering", "name": "Engineering", "parent": None}
_MEMBER = {"id": "PXPGF42", "type": "user", "name": "Earline Greenholt", "role": "admin", "time_zone": "UTC"}
EXAMPLES_BEYOND_THE_SUBSET: dict[str, dict[str, Any]] = {
    "listTeams": {"teams": [_TEAM], "more": False},
    "listTeamUsers": {"members": [{"user": _MEMBER, "role": "manager"}], "more": False},
}


@functools.cache
def spec() -> dict[str, Any]:
    loaded: dict[str, Any] = _with_null(json.loads(_SPEC.read_text()))
    loaded["paths"] |= BEYOND_THE_SUBSET
    loaded["paths"]["/v3/schedules/{id}/rotations"] |= _CREATE_ROTATION
    return loaded


def _with_null(part: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON schema lists a type."""
    if isinstance(part, list):
        return [_with_null(element) for element in part]
    if not isinstance(part, dict):
        return part
    known = {name: _with_null(value) for name, value in part.items()}
    if known.get("nullable") is True and isinstance(known.get("type"), str):
        known["type"] = [known["type"], "null"]
    return known


@functools.cache
def _paths() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Return each path's template, what it matches, and its methods."""
    return [
        (template, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template)), methods)
        for template, methods in spec()["paths"].items()
    ]


def operation_of(request: ApiRequest) -> dict[str, Any]:
    """Return the documented operation. A literal path wins over one with a parameter."""
    found = []
    for template, pattern, methods in _paths():
        if pattern.fullmatch(request.path) and request.method.value.lower() in methods:
            shared = methods.get("parameters", [])
            operation = methods[request.method.value.lower()]
            parameters = [_resolved(parameter) for parameter in [*shared, *operation.get("parameters", [])]]
            found.append((template.count("{"), operation | {"parameters": parameters}))
    assert found, f"undocumented: {request.method} {request.path}"
    chosen: dict[str, Any] = min(found, key=lambda pair: pair[0])[1]
    return chosen


def complaints(request: ApiRequest) -> list[str]:
    """Return what PagerDuty's schema has against the request, without what `DEVIATIONS` lists."""
    operation = operation_of(request)
    said = [*_about_query(request, operation), *_about_body(request, operation)]
    return [
        complaint for complaint in said if complaint not in DEVIATIONS.get(operation["operationId"], set())
    ]


def _about_query(request: ApiRequest, operation: dict[str, Any]) -> Iterator[str]:
    known = {
        parameter["name"]: parameter for parameter in operation["parameters"] if parameter["in"] == "query"
    }
    for name, value in request.query:
        if name not in known:
            yield f"query {name}"
            continue
        schema = _resolved(known[name].get("schema", {}))
        choices = schema.get("enum") or _resolved(schema.get("items", {})).get("enum")
        if choices and value not in choices:
            yield f"query {name}={value}"
    given = {name for name, _ in request.query}
    yield from (
        f"query {name} missing"
        for name, parameter in known.items()
        if parameter.get("required") and name not in given
    )


def _about_body(request: ApiRequest, operation: dict[str, Any]) -> Iterator[str]:
    documented = _resolved(operation.get("requestBody", {}))
    if request.body is None:
        if documented.get("required"):
            yield "a body is missing"
        return
    schema = documented["content"]["application/json"]["schema"]
    for error in _validator(operation["operationId"], documented).iter_errors(request.body):
        where = ".".join(str(part) for part in error.path if not isinstance(part, int))
        yield (
            f"{where} {error.message[error.message.find('is not of type') :]}"
            if "of type" in error.message
            else (f"{where}: {error.message}")
        )
    yield from _unknown_fields(request.body, schema, "")


_validators: dict[str, jsonschema.Draft202012Validator] = {}


def _validator(operation_id: str, documented: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """An operation's, made once: looking up what a schema refers to is most of the work."""
    if operation_id not in _validators:
        schema = documented["content"]["application/json"]["schema"]
        _validators[operation_id] = jsonschema.Draft202012Validator(
            {**schema, "components": spec()["components"]}
        )
    return _validators[operation_id]


def _unknown_fields(value: Any, schema: Any, where: str) -> Iterator[str]:
    """The schemas forbid no field: what they don't describe is found here."""
    if isinstance(value, list):
        items = [element_schema for part in _branches(schema) if (element_schema := part.get("items"))]
        for element in value:
            yield from _unknown_fields(element, {"allOf": items}, where)
    if not isinstance(value, dict):
        return
    described: dict[str, list[Any]] = {}
    for part in _branches(schema):
        for name, field in part.get("properties", {}).items():
            described.setdefault(name, []).append(field)
    for name, inner in value.items():
        path = f"{where}.{name}".strip(".")
        if described and name not in described:
            yield path
        yield from _unknown_fields(inner, {"allOf": described.get(name, [])}, path)


def _branches(schema: Any) -> Iterator[dict[str, Any]]:
    schema = _resolved(schema)
    yield schema
    for word in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(word, []):
            yield from _branches(part)


def _resolved(schema: Any) -> dict[str, Any]:
    while isinstance(schema, dict) and "$ref" in schema:
        found: Any = spec()
        for part in schema["$ref"].removeprefix("#/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            found = found[int(key)] if isinstance(found, list) else found[key]
        schema = found
    return schema if isinstance(schema, dict) else {}
