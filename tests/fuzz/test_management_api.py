"""Whatever is sent to the REST API, in the shape of its own document or out of it: no crash, no 5xx."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from ingress.api.openapi import openapi_document
from ingress.app import served_endpoints
from ingress.reconciliation import endpoints as healing_endpoints
from tests.support.patience import ANSWER
from tests.support.system import System

#: What a caller may meet that is nobody's fault of theirs is documented; a crash (500) is not.
ENDLESS = {"/api/issues/events"}


def operations(service: System) -> list[Any]:
    """Return the operations of the document that the service serves."""
    endpoints = served_endpoints(service.ingress)
    document = openapi_document(endpoints, "http://calmo.test")
    schema = schemathesis.openapi.from_dict(document)
    described = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return [
        operation
        for operation in described
        if operation.path not in ENDLESS and operation.path.startswith("/api/")
    ]


def send(service: System, case: Any, loop: asyncio.AbstractEventLoop) -> httpx.Response:
    """Send a case as it is, with a key that may do everything."""
    options: dict[str, Any] = {"params": case.query or None}
    if case.body is not None and not isinstance(case.body, type(schemathesis.core.NOT_SET)):
        options["content"] = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
    request = service.http.request(
        case.method, case.formatted_path, headers=dict(service.headers), timeout=ANSWER, **options
    )
    return asyncio.run_coroutine_threadsafe(request, loop).result(ANSWER)


def fuzz_operation(
    service: System,
    operation: Any,
    mode: GenerationMode,
    examples: int,
    loop: asyncio.AbstractEventLoop,
) -> None:
    known = {str(status) for status in operation.definition.raw["responses"]} | {"404", "405"}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send_cases(case: Any) -> None:
        answer = send(service, case, loop)
        assert answer.status_code != 500, answer.text[:200]
        assert str(answer.status_code) in known, (answer.status_code, answer.text[:200])

    send_cases()


async def fuzz(service: System, examples: int) -> None:
    loop = asyncio.get_running_loop()
    failures: list[str] = []
    for operation in operations(service):
        takes_something = operation.query or operation.body
        for mode in GenerationMode if takes_something else (GenerationMode.POSITIVE,):
            try:
                await asyncio.to_thread(fuzz_operation, service, operation, mode, examples, loop)
            # All failures are told at the end, of whatever kind.
            except Exception as error:
                failures.append(f"{mode} {operation.label}: {type(error).__name__}: {error}"[:600])
    assert not failures, "\n".join(failures)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker carries out what the doctor's report waits for."""
    monkeypatch.setattr(healing_endpoints, "WAIT_SECONDS", 0.05)


async def test_no_documented_request_crashes_the_api(service: System) -> None:
    await fuzz(service, examples=4)


@pytest.mark.torture
async def test_no_documented_request_crashes_the_api_in_a_long_run(service: System) -> None:
    await fuzz(service, examples=1_000)
