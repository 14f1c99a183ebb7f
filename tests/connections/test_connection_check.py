"""What a connection's token can do: found out by reading only, and said so that a person can act on it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calmo_pagerduty.connections.connection_check import (
    READ_PROBES,
    ConnectionReport,
    ProbeResult,
    build_report,
    parse_probe,
    probe_connection,
)
from calmo_pagerduty.pagerduty.errors import (
    AccessDenied,
    InvalidRequest,
    NotFound,
    NotInPlan,
    NotUnderstood,
    PagerDutyError,
    RateLimited,
    ServerFault,
    TokenRejected,
    Unreachable,
)
from calmo_pagerduty.pagerduty.requests import ApiRequest, ListRequest, Method
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.plan_runs import Answer, Run, drive

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NO_RULES = ConnectionRules()
WRITES_ON = ConnectionRules(switches={"risk:medium": Switch.ALLOW, "risk:high": Switch.ALLOW})
WRITES = {name for name, tool in TOOLS.items() if tool.writes}
ABILITIES = sorted({ability for tool in TOOLS.values() for ability in tool.abilities})

ACCOUNT: Mapping[str, Answer] = {
    "/users/me": InvalidRequest("Invalid request", status=400),
    "/abilities": {"abilities": [*ABILITIES, "sso"]},
}
MANAGER: Mapping[str, Answer] = {**ACCOUNT, "/users/me": {"user": {"id": "PUSER1", "role": "user"}}}


def ask(answers: Mapping[str, Answer]) -> Run:
    """Run the probe by answers by path; whatever isn't named answers with an empty object."""

    def answer(asked: ApiRequest | ListRequest) -> Answer:
        assert isinstance(asked, ApiRequest)
        return answers.get(asked.path, {})

    done = drive(probe_connection(), answer)
    assert done.error is None
    return done


def find_out(answers: Mapping[str, Answer], scopes: frozenset[str] | None = None) -> ProbeResult:
    return parse_probe(ask(answers).result, scopes, NOW)


def tell(
    answers: Mapping[str, Answer], rules: ConnectionRules = NO_RULES, elsewhere: str | None = None
) -> ConnectionReport:
    return build_report(find_out(answers), TOOLS, rules, elsewhere)


def test_a_test_reads_one_thing_of_each_kind_and_writes_nothing() -> None:
    asked = ask(ACCOUNT).requests
    paths = [request.path for request in asked]
    assert paths == ["/users/me", "/abilities", *(path for path, _ in READ_PROBES.values())]
    assert {request.method for request in asked} == {Method.GET}
    assert {request.query for request in asked[2:]} == {(("limit", "1"),)}
    assert not any(request.is_write or request.daily_quota for request in asked)


def test_an_accounts_token_says_nothing_of_a_user() -> None:
    facts = find_out(ACCOUNT).facts
    assert facts == TokenInfo(tested_at=NOW, of_a_user=False, abilities=frozenset({*ABILITIES, "sso"}))
    told = tell(ACCOUNT, WRITES_ON)
    assert told.ok
    assert told.lines[:2] == (
        "the token is valid",
        "it is the account's; whether it may write shows only when it does",
    )
    assert "it may read incidents, services" in told.lines[2]
    assert len(told.lines) == 3
    assert told.cannot_serve == {}


def test_a_users_token_tells_the_users_role() -> None:
    findings = find_out(MANAGER)
    assert (findings.facts.of_a_user, findings.facts.role) == (True, "user")
    assert "it is a user's, with the role user: it may do what that user may" in tell(MANAGER).lines
    assert tell(MANAGER, WRITES_ON).cannot_serve == {}


@pytest.mark.parametrize("user", [{}, {"user": {}}, {"user": {"id": "PUSER1", "role": None}}])
def test_a_user_without_a_role_is_a_user_nevertheless(user: dict[str, Any]) -> None:
    answers = {**ACCOUNT, "/users/me": user}
    assert (find_out(answers).facts.of_a_user, find_out(answers).facts.role) == (True, None)
    assert "it is a user's, with the role unknown: it may do what that user may" in tell(answers).lines


@pytest.mark.parametrize("error", [AccessDenied("no", status=403), NotFound("no", status=404)])
def test_a_token_that_may_not_read_users_does_not_tell_whose_it_is(error: PagerDutyError) -> None:
    answers = {**ACCOUNT, "/users/me": error}
    assert find_out(answers).facts.of_a_user is None
    told = tell(answers)
    assert told.ok
    assert "PagerDuty doesn't tell whether it is a user's or the account's" in told.lines


def test_a_rejected_token_is_asked_no_further() -> None:
    rejected = {**ACCOUNT, "/users/me": TokenRejected("Unauthorized", status=401, advice="check the token")}
    assert len(ask(rejected).requests) == 1
    findings = find_out(rejected)
    assert findings.verdict == "rejected"
    assert findings.facts == TokenInfo(tested_at=NOW)
    told = tell(rejected, WRITES_ON)
    assert not told.ok
    assert told.lines == ("PagerDuty rejects the token: Unauthorized: check the token",)
    assert told.cannot_serve == {}


def test_a_token_of_the_other_region_is_named_so() -> None:
    rejected = {"/users/me": TokenRejected("Unauthorized", status=401)}
    told = tell(rejected, elsewhere="eu")
    assert told.lines == ("the token belongs to the region eu, not to this connection's",)
    assert not told.ok


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("no answer from PagerDuty"),
        ServerFault("PagerDuty has trouble", status=503),
        RateLimited("too many requests", retry_after=timedelta(seconds=30)),
        NotUnderstood("not what PagerDuty documents", status=200),
    ],
)
def test_a_pagerduty_that_cannot_be_asked_says_nothing_of_the_token(error: PagerDutyError) -> None:
    answers = {**ACCOUNT, "/users/me": error}
    assert find_out(answers).facts == TokenInfo(tested_at=NOW)
    told = tell(answers, WRITES_ON)
    assert not told.ok
    assert told.lines == (f"PagerDuty can't be asked: {error.message}",)
    assert told.cannot_serve == {}


def test_a_plan_without_priorities_costs_the_tools_that_need_them_and_no_others() -> None:
    told = tell({**ACCOUNT, "/priorities": NotInPlan("not in the plan", status=402)}, WRITES_ON)
    assert told.ok
    assert "it can't read priorities: the account's plan lacks it" in told.lines
    needing = {name for name, tool in TOOLS.items() if "priorities.read" in tool.scopes}
    assert needing
    assert told.cannot_serve == dict.fromkeys(
        needing, "it needs priorities.read: the account's plan lacks it"
    )


@pytest.mark.parametrize("ability", ABILITIES)
def test_an_ability_that_the_plan_lacks_costs_its_tools(ability: str) -> None:
    others = [other for other in ABILITIES if other != ability]
    told = tell({**ACCOUNT, "/abilities": {"abilities": others}}, WRITES_ON)
    needing = {name for name, tool in TOOLS.items() if ability in tool.abilities}
    assert set(told.cannot_serve) == needing
    assert all(ability in why for why in told.cannot_serve.values())


@pytest.mark.parametrize("answer", [AccessDenied("no", status=403), {"abilities": None}])
def test_a_plan_that_is_not_told_is_not_held_against_any_tool(answer: Answer) -> None:
    answers = {**ACCOUNT, "/abilities": answer}
    assert find_out(answers).facts.abilities is None
    told = tell(answers, WRITES_ON)
    assert "PagerDuty doesn't tell what the account's plan has" in told.lines
    assert told.cannot_serve == {}


@pytest.mark.parametrize("role", ["read_only_user", "read_only_limited_user"])
def test_a_read_only_user_serves_no_writes_and_every_read(role: str) -> None:
    answers = {**ACCOUNT, "/users/me": {"user": {"id": "PUSER1", "role": role}}}
    assert tell(answers).cannot_serve == {}
    told = tell(answers, WRITES_ON)
    assert told.cannot_serve == dict.fromkeys(WRITES, "the connection's PagerDuty token can only read")


def test_only_tools_that_are_switched_on_are_missed() -> None:
    blind = {**ACCOUNT, "/schedules": AccessDenied("no", status=403)}
    needing = {name for name, tool in TOOLS.items() if "schedules.read" in tool.scopes}
    reads = needing - WRITES
    assert set(tell(blind).cannot_serve) == reads
    assert set(tell(blind, WRITES_ON).cannot_serve) == needing
    off = ConnectionRules(switches=dict.fromkeys((f"tool:{name}" for name in sorted(reads)), Switch.DENY))
    assert tell(blind, off).cannot_serve == {}


def test_an_oauth_tokens_scopes_are_held_against_the_tools() -> None:
    findings = find_out(ACCOUNT, frozenset({"incidents.read"}))
    missed = build_report(findings, TOOLS, NO_RULES, None).cannot_serve
    readable = {name for name, tool in TOOLS.items() if set(tool.scopes) <= {"incidents.read"}}
    assert set(missed) == set(TOOLS) - WRITES - readable
    assert missed["list_services"] == "the connection's OAuth token lacks the scope services.read"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AccessDenied("no", status=403), "the token's role or scopes don't allow it"),
        (NotFound("no", status=404), "the token's role or scopes don't allow it"),
        (NotInPlan("no", status=402), "the account's plan lacks it"),
        (TokenRejected("no", status=401), "the token was rejected"),
        (ServerFault("no", status=500), "PagerDuty didn't answer (ServerFault)"),
        (Unreachable("no"), "PagerDuty didn't answer (Unreachable)"),
        (InvalidRequest("the limit is wrong", status=400), "the limit is wrong"),
    ],
)
def test_whatever_goes_wrong_with_one_reading_the_others_go_on(error: PagerDutyError, words: str) -> None:
    for scope, (path, name) in READ_PROBES.items():
        findings = find_out({**ACCOUNT, path: error})
        assert findings.reads == {**dict.fromkeys(READ_PROBES, "ok"), scope: words}
        assert f"it can't read {name}: {words}" in tell({**ACCOUNT, path: error}).lines


def test_a_token_that_may_read_nothing_is_told_so() -> None:
    answers = {**ACCOUNT, **{path: AccessDenied("no", status=403) for path, _ in READ_PROBES.values()}}
    told = tell(answers)
    assert "it may read nothing that tools need" in told.lines
    assert len(told.lines) == 3 + len(READ_PROBES)
