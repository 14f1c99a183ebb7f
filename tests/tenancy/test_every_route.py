"""Every route, every foreign principal: what is foreign is as if it weren't there.

A new route without a case here fails: it isn't known yet what a foreigner would see of it.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.tools.catalogue import TOOLS
from ingress.api.endpoints import Endpoint, EndpointRow
from ingress.app import served_endpoints
from tests.support.builders import NOON
from tests.support.parts import Parts
from tests.support.system import System, running_system
from tests.support.worlds import MISSING, World, everything_kept, make_world, permissions_but

ACME, BANK = "organization:acme", "organization:bank"
ROBIN, KIM = "personal:robin", "personal:kim"
GONE = frozenset({404})
#: An id that can't be told from one of nobody is answered as any other.
AS_ANY = frozenset({200})
REFUSED = frozenset({403, 404})
COVER = {
    "schedule": "PSCHED",
    "user": "PADA",
    "since": NOON.isoformat(),
    "until": (NOON + timedelta(days=1)).isoformat(),
}
SAMPLE_KEY = {"name": "x", "permissions": ["issues:read"]}

Values = Callable[[World], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Named:
    """The request names something of a world: in the path by `id`, in the body, in the query."""

    id: str = ""
    body: Values | None = None
    query: Values | None = None
    answers: frozenset[int] = GONE


class Lists:
    """The answer shows what its caller sees, and nothing else."""

    def __init__(self, **query: str) -> None:
        self.query = query


class Nobodys:
    """The answer holds nothing of anybody."""


Case = Named | Lists | Nobodys

CASES: Mapping[str, tuple[Case, ...]] = {
    "POST /webhooks/pagerduty/{webhook_id}": (Nobodys(),),
    "GET /healthz": (Nobodys(),),
    "GET /readyz": (Nobodys(),),
    "GET /openapi.json": (Nobodys(),),
    "GET /metrics": (Nobodys(),),
    "GET /api/issues": (
        Lists(), Named(query=lambda w: {"incident": w.incident}, answers=AS_ANY),
        Named(query=lambda w: {"scope": w.scope}, answers=AS_ANY),
    ),
    "GET /api/issues/events": (Lists(after="0"),),
    "GET /api/issues/{id}": (Named("issue"),),
    "GET /api/issues/{id}/actions": (Named("issue"),),
    "GET /api/issues/{id}/replay": (Named("issue"),),
    "GET /api/issues/{id}/post-incident": (
        Named("issue"), Named("issue", query=lambda w: {"format": "html"}),
    ),
    "POST /api/issues/{id}/post-incident/additions": (Named("issue", body=lambda w: {"text": "x"}),),
    "POST /api/issues/{id}/actions": (Named("issue", body=lambda w: {"action": "resolve"}),),
    "GET /api/issues/{id}/context": (Named("issue"),),
    "GET /api/issues/{id}/context/versions": (Named("issue"),),
    "GET /api/issues/{id}/context.md": (Named("issue"),),
    "GET /api/issues/{id}/context/graph.svg": (Named("issue"),),
    "GET /api/issues/{id}/context/progress": (Named("issue"),),
    "POST /api/issues/{id}/context": (Named("issue", body=lambda w: {}),),
    "POST /api/incidents/{incident_id}/context": (
        Named("incident", body=lambda w: {}), Named("incident", body=lambda w: {"connection": w.connection}),
        Named("=QOTHER", body=lambda w: {"connection": w.connection}),
    ),
    "GET /api/deliveries": (
        Lists(), Named(query=lambda w: {"webhook": w.webhook}, answers=AS_ANY),
        Named(query=lambda w: {"incident": w.incident}, answers=AS_ANY),
    ),
    "GET /api/deliveries/export": (
        Lists(), Named(query=lambda w: {"webhook": w.handle}, answers=AS_ANY),
    ),
    "POST /api/deliveries/replay": (
        Named(body=lambda w: {"seqs": [int(w.seq)]}, answers=AS_ANY),
        Named(body=lambda w: {"webhook": [w.webhook]}, answers=AS_ANY),
    ),
    "GET /api/deliveries/{seq}": (Named("seq"),),
    "GET /api/refusals": (Lists(), Named(query=lambda w: {"webhook": w.webhook}, answers=AS_ANY)),
    "GET /api/explain/{incident_id}": (Named("incident", answers=AS_ANY),),
    "GET /api/api-keys": (Lists(),),
    "POST /api/api-keys": (Named(body=lambda w: {**SAMPLE_KEY, "scopes": [w.scope]}, answers=REFUSED),),
    "POST /api/api-keys/{id}/rotate": (Named("key"),),
    "DELETE /api/api-keys/{id}/untrusted": (Named("key"),),
    "DELETE /api/api-keys/{id}": (Named("key"),),
    "GET /api/people": (Lists(),),
    "PUT /api/people": (
        Named(body=lambda w: {"subject": "x", "role": "viewer", "scopes": [w.scope]}, answers=REFUSED),
    ),
    "DELETE /api/people": (Named(query=lambda w: {"subject": w.scope}),),
    "GET /api/tools": (Lists(), Named(query=lambda w: {"connection": w.connection})),
    "POST /api/tools/{name}": tuple(
        Named(f"={tool}", body=lambda w: {"connection": w.connection}) for tool in TOOLS
    ),
    "POST /api/tools/{name}/orders": (
        Named("=list_services", body=lambda w: {"connection": w.connection, "idempotency_key": "1"}),
    ),
    "GET /api/tool-calls": (Lists(),),
    "GET /api/tool-calls/{id}": (Named("call"),),
    "POST /api/tool-calls/{id}/approve": (Named("call"),),
    "POST /api/tool-calls/{id}/deny": (Named("call"),),
    "GET /api/audit": (Lists(),),
    "GET /api/audit/verification": (Nobodys(),),
    "GET /api/connections": (Lists(),),
    "POST /api/connections": (Named(body=lambda w: {"name": "x", "scope": w.scope}, answers=REFUSED),),
    "GET /api/connections/{id}": (Named("connection"),),
    "PATCH /api/connections/{id}": (Named("connection", body=lambda w: {"name": "mine"}),),
    "DELETE /api/connections/{id}": (Named("connection"),),
    "POST /api/connections/{id}/token": (Named("connection", body=lambda w: {"token": "u+stolen0123"}),),
    "POST /api/connections/{id}/test": (Named("connection"),),
    "POST /api/connections/{id}/reconcile": (Named("connection"),),
    "GET /api/connections/{id}/reconciliations": (Named("connection"),),
    "GET /api/connections/{id}/coverage": (Named("connection"),),
    "GET /api/connections/{id}/coverage/policies.svg": (Named("connection"),),
    "GET /api/connections/{id}/coverage/schedules.svg": (Named("connection"),),
    "POST /api/connections/{id}/coverage/conflicts": (
        Named("connection", body=lambda w: {"calendars": []}),
    ),
    "GET /api/connections/{id}/readiness": (Named("connection"),),
    "GET /api/connections/{id}/now-next": (Named("connection"),),
    "POST /api/connections/{id}/what-if": (
        Named("connection", body=lambda w: {"scenario": {"name": "x"}}),
    ),
    "POST /api/connections/{id}/what-if/optimise": (
        Named("connection", body=lambda w: {"request": {"schedule": "PS"}}),
    ),
    "POST /api/connections/{id}/what-if/hours.svg": (
        Named("connection", body=lambda w: {"scenario": {"name": "x"}}),
    ),
    "POST /api/connections/{id}/what-if/optimise/loads.svg": (
        Named("connection", body=lambda w: {"request": {"schedule": "PS"}}),
    ),
    "GET /api/connections/{id}/scenarios": (Named("connection"),),
    "POST /api/connections/{id}/scenarios": (
        Named("connection", body=lambda w: {"scenario": {"name": "x"}}),
    ),
    "GET /api/connections/{id}/scenarios/comparison": (
        Named("connection", query=lambda w: {"id": w.connection}),
    ),
    "GET /api/connections/{id}/scenarios/{scenario_id}": (Named("connection"),),
    "GET /api/connections/{id}/scenarios/{scenario_id}/hours.svg": (Named("connection"),),
    "DELETE /api/connections/{id}/scenarios/{scenario_id}": (Named("connection"),),
    "POST /api/connections/{id}/oncall/runs": (Named("connection", body=lambda w: {}),),
    "GET /api/connections/{id}/oncall/runs": (Named("connection"),),
    "GET /api/connections/{id}/oncall/progress": (Named("connection", query=lambda w: {"run": w.run}),),
    "GET /api/oncall/runs/{id}": (Named("run"),),
    "GET /api/connections/{id}/oncall/snapshots": (Named("connection"),),
    "GET /api/connections/{id}/escalation/simulation": (
        Named("connection", query=lambda w: {"service": "PSHOP"}),
    ),
    "GET /api/connections/{id}/escalation/simulation.svg": (
        Named("connection", query=lambda w: {"service": "PSHOP"}),
    ),
    "GET /api/connections/{id}/escalation/lint": (Named("connection"),),
    "GET /api/connections/{id}/escalation/response": (Named("connection"),),
    "GET /api/connections/{id}/escalation/ladder.svg": (
        Named("connection", query=lambda w: {"policy": "PPOL"}),
    ),
    "GET /api/stories": (Lists(),),
    "GET /api/connections/{id}/patterns": (Named("connection"),),
    "GET /api/connections/{id}/patterns/plot.svg": (Named("connection"),),
    "GET /api/connections/{id}/trends": (Named("connection"),),
    "GET /api/connections/{id}/trends/plot.svg": (
        Named("connection", query=lambda w: {"service": "PSHOP"}),
    ),
    "GET /api/connections/{id}/performance": (Named("connection"),),
    "GET /api/connections/{id}/performance/plot.svg": (Named("connection"),),
    "GET /api/connections/{id}/dependencies/map": (Named("connection"),),
    "GET /api/connections/{id}/dependencies/map.svg": (Named("connection"),),
    "GET /api/connections/{id}/dependencies/critical": (Named("connection"),),
    "GET /api/connections/{id}/dependencies/single-points": (Named("connection"),),
    "GET /api/connections/{id}/dependencies/undeclared": (Named("connection"),),
    "GET /api/connections/{id}/dependencies/changes": (Named("connection"),),
    "GET /api/connections/{id}/capacity": (Named("connection"),),
    "GET /api/connections/{id}/capacity/plot.svg": (Named("connection"),),
    "GET /api/connections/{id}/escalation/drills": (Named("connection"),),
    "POST /api/connections/{id}/escalation/drills": (
        Named("connection", body=lambda w: {"service": "PSHOP"}),
    ),
    "GET /api/connections/{id}/escalation/drills/{drill}": (Named("connection"),),
    "POST /api/connections/{id}/escalation/drills/{drill}/cancel": (Named("connection"),),
    "GET /api/connections/{id}/escalation/drill-services": (Named("connection"),),
    "POST /api/connections/{id}/escalation/drill-services": (
        Named("connection", body=lambda w: {"service": "PSHOP"}),
    ),
    "DELETE /api/connections/{id}/escalation/drill-services/{service}": (Named("connection"),),
    "GET /api/connections/{id}/absences": (Named("connection"),),
    "PUT /api/connections/{id}/absences/{user}": (
        Named("connection", body=lambda w: {"text": "start,end"}),
    ),
    "DELETE /api/connections/{id}/absences/{user}": (Named("connection"),),
    "GET /api/connections/{id}/workload": (Named("connection"),),
    "GET /api/connections/{id}/workload/document": (Named("connection"),),
    "GET /api/connections/{id}/workload/plot.svg": (Named("connection"),),
    "GET /api/connections/{id}/workload/pay": (Named("connection"),),
    "GET /api/connections/{id}/workload/pay/document": (Named("connection"),),
    "GET /api/connections/{id}/workload/working-time": (Named("connection"),),
    "GET /api/connections/{id}/workload/working-time/document": (Named("connection"),),
    "GET /api/connections/{id}/workload/settings": (Named("connection"),),
    "PUT /api/connections/{id}/workload/settings/draft": (
        Named("connection", body=lambda w: {"document": "{}"}),
    ),
    "POST /api/connections/{id}/workload/settings/publish": (Named("connection"),),
    "GET /api/connections/{id}/cover": (Named("connection", query=lambda w: COVER),),
    "GET /api/connections/{id}/cover-requests": (Named("connection"),),
    "POST /api/connections/{id}/cover-requests": (Named("connection", body=lambda w: COVER),),
    "GET /api/cover-requests/{id}": (Named("cover"),),
    "POST /api/cover-requests/{id}/answer": (
        Named("cover", body=lambda w: {"answer": "accept", "user_id": "PUSER"}),
    ),
    "GET /api/doctor": (Lists(), Named(query=lambda w: {"connection": w.connection})),
    "POST /api/doctor": (Named(body=lambda w: {"connection": w.connection}),),
    "GET /api/findings": (
        Lists(), Named(query=lambda w: {"connection": w.connection}, answers=AS_ANY),
        Named(query=lambda w: {"entity": w.canary}, answers=AS_ANY),
    ),
    "GET /api/findings/{id}": (Named("finding"),),
    "POST /api/findings/{id}/accept": (Named("finding"),),
    "POST /api/findings/{id}/dismiss": (Named("finding", body=lambda w: {"reason": "known"}),),
    "POST /api/findings/{id}/undo": (Named("finding"),),
    "GET /api/connections/{id}/digest": (
        Named("connection", query=lambda w: {"preview": "true"}),
        Named("connection", query=lambda w: {"preview": "true", "format": "html"}),
    ),
    "POST /api/connections/{id}/digest": (Named("connection"),),
    "GET /api/connections/{id}/digest/schedule": (Named("connection"),),
    "PUT /api/connections/{id}/digest/schedule": (Named("connection", body=lambda w: {}),),
    "GET /api/connections/{id}/oncall/report": (Named("connection"),),
    "GET /api/connections/{id}/report": (
        Named("connection", query=lambda w: {"kind": "weekly-operations"}),
    ),
    "GET /api/connections/{id}/reports": (Named("connection"),),
    "GET /api/connections/{id}/report-deliveries": (Named("connection"),),
    "GET /api/connections/{id}/report-address": (Named("connection"),),
    "PUT /api/connections/{id}/report-address": (
        Named("connection", body=lambda w: {"url": "https://reports.example/calmo"}),
    ),
    "DELETE /api/connections/{id}/report-address": (Named("connection"),),
    "GET /api/connections/{id}/report-schedules": (Named("connection"),),
    "PUT /api/connections/{id}/report-schedules": (
        Named("connection", body=lambda w: {"kind": "on-call-review"}),
    ),
    "GET /api/report-tools": (Nobodys(),),
    "GET /api/webhooks": (Lists(),),
    "POST /api/webhooks": (Named(body=lambda w: {"scope": w.scope}, answers=REFUSED),),
    "GET /api/webhooks/{id}": (Named("webhook"), Named("handle")),
    "DELETE /api/webhooks/{id}": (Named("webhook"), Named("handle")),
    "PUT /api/webhooks/{id}/secret": (Named("webhook", body=lambda w: {"secret": "s" * 64}), Named(
        "handle", body=lambda w: {"secret": "s" * 64}),
    ),
    "POST /api/webhooks/{id}/pause": (Named("webhook"), Named("handle")),
    "POST /api/webhooks/{id}/resume": (Named("webhook"), Named("handle")),
    "POST /api/webhooks/{id}/subscription": (Named("webhook"), Named("handle")),
    "POST /api/webhooks/{id}/rotate": (Named("webhook"), Named("handle")),
    "POST /api/webhooks/{id}/validation": (Named("webhook"), Named("handle")),
    "POST /api/webhooks/{id}/test": (Named("webhook"), Named("handle")),
}  # fmt: skip

#: Whom the caller's key is for, and whose things it must not see.
FOREIGN = [
    pytest.param(BANK, ACME, id="another organisation's administrator"),
    pytest.param(ACME, ROBIN, id="an administrator, of a member's own things"),
    pytest.param(KIM, ROBIN, id="another user, of a user's own things"),
    pytest.param(KIM, ACME, id="the right people but without the scope"),
]
WITH_SOMETHING_OF_EACH = (
    "GET /api/issues", "GET /api/deliveries", "GET /api/deliveries/export", "GET /api/connections",
    "GET /api/audit", "GET /api/tool-calls", "GET /api/webhooks", "GET /api/refusals", "GET /api/api-keys",
    "GET /api/findings",
)  # fmt: skip


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, working=False) as found:
        yield found


def rows_of(service: System) -> dict[str, EndpointRow]:
    return {f"{row.method} {row.path}": row for row in served_endpoints(service.ingress)}


async def ask(
    service: System, route: str, case: Case, world: World, headers: Mapping[str, str]
) -> httpx.Response:
    method, path = route.split()
    if not isinstance(case, Named):
        query = case.query if isinstance(case, Lists) else {}
        return await service.http.request(
            method, re.sub(r"{\w+}", "x", path), params=query or None, headers=headers
        )
    value = case.id[1:] if case.id.startswith("=") else str(getattr(world, case.id, ""))
    return await service.http.request(
        method,
        re.sub(r"{\w+}", value, path),
        headers=headers,
        params=case.query(world) if case.query else None,
        json=case.body(world) if case.body else None,
    )


async def test_every_route_has_a_case(service: System) -> None:
    assert set(rows_of(service)) == set(CASES)
    for route, row in rows_of(service).items():
        if isinstance(row, Endpoint) and "{" in row.path:
            assert all(isinstance(case, Named) for case in CASES[route]), route


@pytest.mark.each_database
@pytest.mark.parametrize(("mine", "theirs"), FOREIGN)
async def test_what_is_foreign_cannot_be_told_from_what_is_not_there(
    service: System, keyring: Keyring, mine: str, theirs: str
) -> None:
    foreign, own = [await make_world(service, keyring, scope) for scope in (theirs, mine)]
    me = service.a_key(scopes=[mine], person="kim")
    before = everything_kept(service)
    for route, cases in CASES.items():
        for case in cases:
            if route.startswith("GET /api/issues/events") or isinstance(case, Nobodys):
                continue
            answer = await ask(service, route, case, foreign, me)
            if isinstance(case, Lists):
                assert answer.status_code == 200, (route, answer.text)
                assert foreign.told_in(answer.text) == set(), route
                continue
            missing = await ask(service, route, case, MISSING, me)
            assert answer.status_code in case.answers, (route, answer.text)
            assert missing.status_code == answer.status_code, route
            assert foreign.as_missing(answer.text) == missing.text, route
    assert everything_kept(service) == before
    for route in WITH_SOMETHING_OF_EACH:
        assert own.told_in((await ask(service, route, Lists(), own, me)).text), route


async def test_the_owner_sees_each_of_them(service: System, keyring: Keyring) -> None:
    world = await make_world(service, keyring, ACME)
    me = service.a_key(scopes=[ACME])
    for route, cases in CASES.items():
        for case in cases:
            if route.startswith("GET") and isinstance(case, Named):
                answer = await ask(service, route, case, world, me)
                missing = await ask(service, route, case, MISSING, me)
                assert answer.status_code == 200, (route, answer.text)
                assert world.as_missing(answer.text) != missing.text, route


async def test_without_a_valid_key_every_route_says_the_same(service: System, keyring: Keyring) -> None:
    world = await make_world(service, keyring, ACME)
    former = service.a_key(scopes=[ACME])
    key_id = former["Authorization"].split("_")[1]
    assert (await service.http.delete(f"/api/api-keys/{key_id}", headers=service.headers)).is_success
    before = everything_kept(service)
    for headers in ({}, former, {"Authorization": f"Bearer {'x' * 90}"}):
        answers = set()
        for route, row in rows_of(service).items():
            if isinstance(row, Endpoint):
                for case in CASES[route]:
                    answer = await ask(service, route, case, world, headers)
                    answers.add((answer.status_code, answer.text))
        assert [status for status, _ in answers] == [401]
    assert everything_kept(service) == before


async def test_a_key_without_the_permission_is_told_so_and_nothing_else(
    service: System, keyring: Keyring
) -> None:
    world = await make_world(service, keyring, ACME)
    before = everything_kept(service)["issues"]
    for route, row in rows_of(service).items():
        if isinstance(row, Endpoint):
            me = service.a_key(*permissions_but(row.permission), scopes=[ACME])
            words = f"this API key lacks the permission {row.permission}"
            for case in CASES[route]:
                answer = await ask(service, route, case, world, me)
                assert answer.status_code == 403, route
                assert answer.json()["error"]["message"] == words, route
    assert everything_kept(service)["issues"] == before
