"""PagerDuty's published API document as a validator of answers, where the document is at hand."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

VARIABLE = "CALMO_PAGERDUTY_REFERENCE"

# What is null in PagerDuty's own answers although its document does not allow null.
NULL_THOUGH_NOT_NULLABLE = re.compile(
    r"(resolved_at|support_hours|(acknowledgement|auto_resolve)_timeout|teams/\d+/description|resolve_reason|alert_grouping|conference_bridge|priority|schedule_layers/\d+/end"
    r"|oncalls/\d+/(start|end|schedule)|resolved_by_user_(id|name)|seconds_to_\w+"
    r"|mean_\w*seconds|responded_at|time_to_respond_seconds|limit|offset|rendered_coverage_percentage)$"
)
# Types of LogEntry that the lists of log entries forget.
UNLISTED_LOG_ENTRIES = frozenset({"field_value_change_log_entry", "custom_field_value_change_log_entry"})
# Other places where its published examples, or answers seen by clients, break the document.
OTHER_CONTRADICTIONS = (
    ("listEscalationPolicies", r"escalation_rule_assignment_strategy$"),
    ("createScheduleOverride", r"^\d+/override/"),
    ("getAnalyticsMetricsRespondersTeam", r"responder_id$"),
    ("getAnalyticsResponderIncidents", r"total_off_hour_interruptions$"),
)


def folder() -> Path:
    """Return the folder that holds the document. Skips the test when there is none."""
    named = os.environ.get(VARIABLE)
    found = Path(named) if named else Path(__file__).parents[4] / "shared/pagerduty"
    if not (found / "openapi-subset.json").exists():
        pytest.skip(f"PagerDuty's published document is not at hand: set {VARIABLE} to its folder")
    return found


class PublishedSchema:
    """Validates answers by operationId and status."""

    def __init__(self) -> None:
        document = json.loads((folder() / "openapi-subset.json").read_text())
        schemas = document["components"]["schemas"]
        # Its variants overlap: no channel, the published ones included, is exactly one of them.
        del schemas["Channel"]["oneOf"]
        # LogEntry, which it is too, calls this type acknowledge_log_entry: nothing could be both.
        schemas["AcknowledgeLogEntry"]["allOf"][1]["properties"]["type"]["enum"] = ["acknowledge_log_entry"]
        # Contact methods know WhatsApp, but the list of notifications' types does not yet.
        schemas["Notification"]["properties"]["type"]["enum"].append("whatsapp_notification")
        # Its words say that it is null for a push notification.
        schemas["Notification"]["properties"]["address"]["nullable"] = True
        self._document = _as_json_schema(document)
        self._operations = {
            operation["operationId"]: operation
            for path in self._document["paths"].values()
            for operation in path.values()
            if isinstance(operation, dict) and "operationId" in operation
        }

    def complaints(self, operation_id: str, status: int, body: Any) -> list[str]:
        """Return what breaks the document and is not known to break PagerDuty's own answers too."""
        schema = self._schema(operation_id, status)
        if schema is None:
            return [] if body is None else [f"{operation_id} {status}: no body is documented"]
        root = {"components": self._document["components"], "allOf": [schema]}
        return [
            f"{operation_id} {status} {where}: {message[:160]}"
            for where, message, value in _errors(Draft4Validator(root), body)
            if not _is_known(operation_id, where, value)
        ]

    def _schema(self, operation_id: str, status: int) -> Any:
        responses = self._operations[operation_id]["responses"]
        response: Any = responses.get(str(status)) or next(
            (response for code, response in responses.items() if code.startswith("2")), {}
        )
        while "$ref" in response:
            found: Any = self._document
            for part in response["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            response = found
        content = response.get("content") or {}
        return next((media_type.get("schema") for media_type in content.values()), None)


def _errors(validator: Draft4Validator, body: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield each error's place in the answer, its words and the value found there."""
    for error in validator.iter_errors(body):
        yield "/".join(str(part) for part in error.absolute_path), error.message, error.instance


def _is_known(operation_id: str, where: str, value: Any) -> bool:
    if value is None and NULL_THOUGH_NOT_NULLABLE.search(where):
        return True
    if isinstance(value, dict) and value.get("type") in UNLISTED_LOG_ENTRIES:
        return True
    return any(name == operation_id and re.search(place, where) for name, place in OTHER_CONTRADICTIONS)


def _as_json_schema(node: Any) -> Any:
    """Turn OpenAPI 3.0's `nullable` into a type of JSON Schema."""
    if isinstance(node, list):
        return [_as_json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    made = {key: _as_json_schema(value) for key, value in node.items()}
    if made.pop("nullable", False) is True:
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list):
            made["enum"] = [*made["enum"], None]
    return made
