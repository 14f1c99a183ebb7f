"""The comparison itself: what it must find, and what it must let pass."""

from typing import Any

import pytest

from tests.contracts.compatibility import (
    Schemas,
    command_problems,
    openapi_problems,
    removed_or_changed,
    tool_problems,
)

Json = dict[str, Any]


def an_object(required: tuple[str, ...] = (), **properties: Any) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT, NUMBER, WHOLE, NULL = ({"type": kind} for kind in ("string", "number", "integer", "null"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (an_object(a=TEXT), an_object(a=TEXT, b=TEXT)),
        (an_object(("a",), a=TEXT), an_object(a=TEXT)),
        (an_object(a=TEXT), an_object(a={"anyOf": [TEXT, NULL]})),
        (an_object(a=WHOLE), an_object(a=NUMBER)),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}),
        ({"default": {"a": [1]}}, {"default": {"a": [1], "b": 2}}),
        ({"maximum": 10}, {"maximum": 20}),
        ({**TEXT, "pattern": "^a$"}, TEXT),
        (TEXT, {**TEXT, "minLength": 0}),
        ({"type": ["string", "null"]}, {"anyOf": [NULL, TEXT]}),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": {"anyOf": [TEXT, WHOLE]}}),
    ],
)
def test_what_is_taken_may_become_more(old: Json, new: Json) -> None:
    assert Schemas({}, {}, is_taken=True).problems(old, new, "") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (an_object(a=TEXT), an_object(b=TEXT)),
        (an_object(a=TEXT), an_object(("a",), a=TEXT)),
        (an_object(a=TEXT), an_object(("b",), a=TEXT, b=TEXT)),
        (an_object(a={"anyOf": [TEXT, NULL]}), an_object(a=TEXT)),
        (an_object(a=NUMBER), an_object(a=WHOLE)),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}),
        (TEXT, {**TEXT, "enum": ["a"]}),
        ({}, TEXT),
        ({"maximum": 10}, {"maximum": 5}),
        (WHOLE, {**WHOLE, "minimum": 1}),
        (TEXT, {**TEXT, "pattern": "^a$"}),
        (TEXT, {**TEXT, "format": "date-time"}),
        ({"default": 5}, {"default": 6}),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": WHOLE}),
        ({"type": "object", "additionalProperties": TEXT}, {"type": "object", "additionalProperties": False}),
        ({"type": "object", "additionalProperties": True}, an_object()),
    ],
)
def test_what_is_taken_never_becomes_less(old: Json, new: Json) -> None:
    assert Schemas({}, {}, is_taken=True).problems(old, new, "") != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (an_object(a=TEXT), an_object(("b",), a=TEXT, b=TEXT)),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}),
        (an_object(a={"anyOf": [TEXT, NULL]}), an_object(a={"anyOf": [NULL, TEXT]})),
    ],
)
def test_what_is_answered_may_become_more(old: Json, new: Json) -> None:
    assert Schemas({}, {}, is_taken=False).problems(old, new, "") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (an_object(a=TEXT), an_object()),
        (an_object(("a",), a=TEXT), an_object(a=TEXT)),
        (an_object(a=TEXT), an_object(a={"anyOf": [TEXT, NULL]})),
        (an_object(a={"anyOf": [TEXT, NULL]}), an_object(a=TEXT)),
        (an_object(a=WHOLE), an_object(a=NUMBER)),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}),
        ({"type": "array", "items": an_object(a=TEXT)}, {"type": "array", "items": an_object(b=TEXT)}),
    ],
)
def test_what_is_answered_never_becomes_less(old: Json, new: Json) -> None:
    assert Schemas({}, {}, is_taken=False).problems(old, new, "") != []


def test_references_are_followed_even_in_a_circle() -> None:
    before = {"defs": {"Node": an_object(next={"$ref": "#/defs/Node"}, a=TEXT)}}
    after = {"defs": {"Node": an_object(next={"$ref": "#/defs/Node"})}}
    node = {"$ref": "#/defs/Node"}
    assert Schemas(before, before, is_taken=False).problems(node, node, "") == []
    assert Schemas(before, after, is_taken=False).problems(node, node, "n") == ["n.a: is gone"]


def an_api(**operation: Any) -> Json:
    plain = {"operationId": "get_x", "parameters": [], "responses": {"200": {"content": {}}}}
    return {"paths": {"/x": {"get": plain | operation}}, "components": {"schemas": {"X": {}}}}


LIMIT = {"in": "query", "name": "limit", "required": False, "schema": WHOLE}


@pytest.mark.parametrize(
    "changed",
    [
        {"paths": {}, "components": {"schemas": {"X": {}}}},
        {**an_api(parameters=[LIMIT]), "components": {"schemas": {"Y": {}}}},
        an_api(operationId="get_y", parameters=[LIMIT]),
        an_api(),
        an_api(parameters=[LIMIT, {**LIMIT, "name": "page", "required": True}]),
        an_api(parameters=[LIMIT], security=[{"apiKey": []}]),
        an_api(parameters=[LIMIT], responses={"201": {"content": {}}}),
        an_api(parameters=[LIMIT], requestBody={"required": True, "content": {}}),
    ],
)
def test_an_api_without_something_of_before_is_found(changed: Json) -> None:
    before = an_api(parameters=[LIMIT])
    assert openapi_problems(before, before) == []
    assert openapi_problems(before, changed) != []


def test_a_tool_a_command_and_a_name_of_before_are_missed() -> None:
    tools = {"x": {"inputSchema": an_object(a=TEXT), "annotations": {"readOnlyHint": True}}}
    assert tool_problems(tools, tools | {"y": tools["x"]}) == []
    assert tool_problems(tools, {"x": tools["x"] | {"annotations": {"readOnlyHint": False}}}) != []
    assert tool_problems(tools, {}) == ["x: is gone"]
    option = {
        "options": ["--as-json"],
        "required": False,
        "schema": {"type": "boolean"},
        "is_flag": True,
        "is_repeated": False,
    }
    commands = {"issues list": {"as_json": option}}
    assert command_problems(commands, {"issues list": {"as_json": option, "more": option}}) == []
    assert command_problems(commands, {"issues list": {"as_json": option | {"options": ["--json"]}}}) != []
    assert command_problems(commands, {"issues list": {"as_json": option, "n": option | {"required": True}}})
    assert removed_or_changed({"a": ["x"]}, {"a": ["x", "y"], "b": 1}) == []
    assert removed_or_changed({"a": ["x"]}, {"a": ["y"]}) == ["/a: x is gone"]
