"""Answers as the OpenAPI document describes them."""

from typing import Any

import httpx
from jsonschema import Draft202012Validator


def check(document: dict[str, Any], answer: httpx.Response, method: str, path: str) -> None:
    """The answer has a status that the document names, and a body as it describes."""
    described = document["paths"][path][method]["responses"][str(answer.status_code)]
    given = answer.headers["content-type"].partition(";")[0]
    media, content = given, described["content"][given]
    body = answer.json() if media == "application/json" else answer.text
    Draft202012Validator({**content["schema"], "components": document["components"]}).validate(body)


def check_example(document: dict[str, Any], method: str, path: str, status: int = 200) -> Any:
    """Return the answer's example, which must be as its schema says."""
    described = document["paths"][path][method]["responses"][str(status)]["content"]["application/json"]
    schema = {**described["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(described["example"])
    return described["example"]
