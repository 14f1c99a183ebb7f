"""Every request that any tool builds, from whatever arguments, is one that PagerDuty documents."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from calmo_pagerduty.pagerduty.requests import ApiRequest, ListRequest, Paging
from calmo_pagerduty.tools.arguments import InvalidArguments, parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.classes import Access
from calmo_pagerduty.tools.model import CallContext, Tool
from tests.support.argument_strategies import arguments_of
from tests.support.contract import needs_reference, operation_of, spec
from tests.support.examples import examples
from tests.support.plan_runs import AGAIN, FIRST, Answer, check_contract, drive, nothing_there

pytestmark = needs_reference

EVERY = pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)

_LAYERS = {
    "id": "PS1", "name": "Primary", "type": "schedule", "time_zone": "UTC",
    "schedule_layers": [
        {
            "id": "PL1", "name": "Days", "start": "2026-01-01T00:00:00Z", "end": None,
            "rotation_virtual_start": "2026-01-01T00:00:00Z", "rotation_turn_length_seconds": 86400,
            "users": [{"user": {"id": "PU1", "type": "user_reference"}}], "restrictions": [],
        }
    ],
}  # fmt: skip
_SOMETHING: dict[str, Any] = {
    "schedule": _LAYERS,
    "user": {"id": "PU9"},
    "incident": {"id": "P1", "status": "acknowledged", "responder_requests": []},
    "escalation_policy": {
        "id": "PE1",
        "name": "Shop",
        "escalation_rules": [
            {
                "id": "PR1",
                "escalation_delay_in_minutes": 5,
                "targets": [{"id": "PU1", "type": "user_reference"}],
            }
        ],
    },
}


def something_there(asked: ApiRequest | ListRequest) -> Answer:
    return nothing_there(asked) if isinstance(asked, ListRequest) else _SOMETHING


@EVERY
@settings(max_examples=examples(10), deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_each_request_is_documented(tool: Tool, data: st.DataObject) -> None:
    try:
        arguments = parse_arguments(tool, data.draw(arguments_of(tool)))
    except InvalidArguments:
        assume(False)
    call: CallContext = data.draw(
        st.sampled_from([FIRST, AGAIN, AGAIN.model_copy(update={"from_address": None})])
    )
    run = drive(tool.plan(arguments, call), data.draw(st.sampled_from([nothing_there, something_there])))
    assert run.asked or run.error
    check_contract(tool, run.requests)
    for asked, request in zip(run.asked, run.requests, strict=True):
        operation = operation_of(request)
        assert tool.access is Access.WRITE or not request.is_write
        assert request.daily_quota is request.path.startswith("/analytics/")
        _names_whom_it_must(request, operation)
        if isinstance(asked, ListRequest):
            assert (asked.paging is Paging.ANALYTICS) is (request.path == "/analytics/raw/incidents")


def _names_whom_it_must(request: ApiRequest, operation: dict[str, Any]) -> None:
    headers = [
        parameter
        for parameter in operation["parameters"]
        if parameter["in"] == "header" and parameter["name"] == "From"
    ]
    if any(header.get("required") for header in headers):
        assert request.in_the_name_of
    if request.in_the_name_of:
        assert request.is_write


@EVERY
def test_the_scopes_are_those_that_pagerduty_names(tool: Tool) -> None:
    wanted = set()
    for operation in _operations(tool):
        if scope := operation.get("x-pd-requires-scope"):
            wanted.add(scope)
    assert wanted <= set(tool.scopes)


def _operations(tool: Tool) -> list[dict[str, Any]]:
    every = [
        operation
        for methods in spec()["paths"].values()
        for operation in methods.values()
        if isinstance(operation, dict)
    ]
    found = [operation for operation in every if operation.get("operationId") in tool.operations]
    assert len(found) == len(tool.operations), "an operation is misspelt"
    return found
