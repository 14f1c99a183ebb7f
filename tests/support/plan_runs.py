"""Runs a tool's plan by answers that are written down: no network, no clock."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult, Method, Plan
from calmo_pagerduty.tools.arguments import parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.model import CallContext, Tool
from tests.support.contract import REFERENCE_IS_AT_HAND, complaints, operation_of

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FIRST = CallContext(id="call-1", now=NOON, first_attempt_at=NOON, from_address="ada@example.org")
AGAIN = FIRST.model_copy(update={"repeated": True})

#: What PagerDuty answers to one request: an answer, or an error that is thrown into the plan.
Answer = JsonObject | list[JsonObject] | ListResult | PagerDutyError
Answerer = Callable[[ApiRequest | ListRequest], Answer]


def listed(*items: JsonObject, next_: str | None = None) -> ListResult:
    return ListResult(items=items, next=next_)


@dataclass
class Run:
    """What was asked, in order, and what came of it."""

    asked: list[ApiRequest | ListRequest] = field(default_factory=list)
    result: JsonObject = field(default_factory=dict)
    error: PagerDutyError | None = None

    @property
    def requests(self) -> list[ApiRequest]:
        return [step.request if isinstance(step, ListRequest) else step for step in self.asked]

    @property
    def writes(self) -> list[ApiRequest]:
        return [request for request in self.requests if request.is_write]

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def query(self, number: int = 0) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.requests[number].query:
            found.setdefault(name, []).append(value)
        return found

    def body(self, number: int = -1) -> JsonObject:
        body = self.writes[number].body
        assert body is not None
        return body


def drive(plan: Plan, answerer: Answerer, most: int = 50) -> Run:
    """Run a plan to its end. An error of PagerDuty's that it doesn't catch is kept in the run."""
    run = Run()
    try:
        asked = next(plan)
        while True:
            run.asked.append(asked)
            assert len(run.asked) <= most, "the plan asks on and on"
            answer = answerer(asked)
            asked = plan.throw(answer) if isinstance(answer, PagerDutyError) else plan.send(answer)
    except StopIteration as end:
        run.result = end.value
    except PagerDutyError as error:
        run.error = error
    return run


def run(name: str, arguments: Mapping[str, Any], *answers: Answer, call: CallContext = FIRST) -> Run:
    """Run a tool with the answers in their order. An error that ends it is raised."""
    tool = TOOLS[name]
    waiting = list(answers)
    done = drive(tool.plan(parse_arguments(tool, arguments), call), lambda _asked: waiting.pop(0))
    assert waiting == [], "it asked less than was expected"
    check_contract(tool, done.requests)
    if done.error is not None:
        raise done.error
    return done


def check_contract(tool: Tool, requests: Iterable[ApiRequest]) -> None:
    """Each request is one that PagerDuty documents, and that the tool's row names."""
    if not REFERENCE_IS_AT_HAND:
        return
    for request in requests:
        assert complaints(request) == []
        assert operation_of(request)["operationId"] in tool.operations


def nothing_there(asked: ApiRequest | ListRequest) -> Answer:
    """An account in which nothing is found."""
    return ListResult() if isinstance(asked, ListRequest) else {}


def by_line(answers: Mapping[str, Answer]) -> Answerer:
    """Answer by method and path; whatever isn't named isn't there."""

    def answer(asked: ApiRequest | ListRequest) -> Answer:
        request = asked.request if isinstance(asked, ListRequest) else asked
        return answers.get(f"{request.method} {request.path}", nothing_there(asked))

    return answer


def is_write(request: ApiRequest) -> bool:
    return request.method is not Method.GET
