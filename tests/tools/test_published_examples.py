"""PagerDuty's own published answers are understood: each comes out as something to read."""

import json
from typing import Any

import pytest

from calmo_pagerduty.pagerduty.requests import ApiRequest, ListRequest, ListResult
from calmo_pagerduty.tools.arguments import parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access
from calmo_pagerduty.tools.model import Column, Shape
from tests.support.contract import EXAMPLES_BEYOND_THE_SUBSET, FOLDER, needs_reference, operation_of
from tests.support.plan_runs import FIRST, Answer, drive

pytestmark = needs_reference

#: Arguments that a tool can't do without, whatever it is.
_NEEDED = {
    "incident_id": "P1", "alert_id": "P2", "service_id": "P3", "escalation_policy_id": "P4",
    "schedule_id": "P5", "user_id": "P6", "team_id": "P7",
}  # fmt: skip
READS = [tool.name for tool in TOOLS.values() if tool.access is Access.READ]


def published(asked: ApiRequest | ListRequest) -> Answer:
    request = asked.request if isinstance(asked, ListRequest) else asked
    operation: str = operation_of(request)["operationId"]
    body = EXAMPLES_BEYOND_THE_SUBSET.get(operation) or _published_body(operation)
    if not isinstance(asked, ListRequest):
        return body
    assert isinstance(body[asked.items], list), f"{operation} has no list {asked.items}"
    return ListResult(items=tuple(body[asked.items]))


def _published_body(operation: str) -> dict[str, Any]:
    example = json.loads((FOLDER / "rest-examples" / f"{operation}.json").read_text())
    body: dict[str, Any] = next(
        response["body"] for response in example["responses"] if response["status"] == 200
    )
    return body


def value_at(item: Any, column: Column) -> Any:
    for part in column.path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item


@pytest.mark.parametrize("name", [name for name in READS if name != "list_schedule_overrides"])
def test_a_published_answer_is_shown(name: str) -> None:
    tool = TOOLS[name]
    required = {field for field, info in tool.arguments.model_fields.items() if info.is_required()}
    arguments = parse_arguments(tool, {field: _NEEDED[field] for field in required})
    run = drive(tool.plan(arguments, FIRST), published)
    assert run.error is None
    things = run.result["items"] if tool.shape is Shape.LIST else [run.result]
    assert things
    shown = [value_at(thing, column) for thing in things for column in tool.columns]
    assert sum(value is not None for value in shown) * 2 >= len(shown)
    assert "api.pagerduty.com" not in json.dumps(run.result)
