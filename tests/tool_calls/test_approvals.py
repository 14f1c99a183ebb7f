"""A risky write waits for a person: bound to its arguments, not by the requester, and not forever."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from calmo_pagerduty.db import tables
from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
from calmo_pagerduty.tool_calls.proofs import decision_claims
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.commands.console import new_console
from ingress.commands.tool_view import audit_table, call_view
from tests.support.connected import add_connection
from tests.support.parts import Parts
from tests.support.patience import ANSWER
from tests.support.system import System, running_system
from tests.support.tool_callers import until_state

RISKY = ConnectionRules(
    switches={"risk:medium": Switch.ALLOW, "risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH})
)


@pytest.fixture
def careful(service: System) -> System:
    service.permit(RISKY)
    return service


async def ask(service: System, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Ask for an incident to be created; returns the ticket."""
    place = next(iter(service.site.account.services))
    answer = await service.call("create_incident", headers, title="Made by hand", service_id=place, **more)
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting"), answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


async def decide(
    service: System, ticket: dict[str, Any], word: str, headers: dict[str, str], **body: Any
) -> Any:
    return await service.http.post(
        f"/api/tool-calls/{ticket['call_id']}/{word}", json=body, headers=headers, timeout=ANSWER
    )


async def test_nothing_is_done_before_a_person_approves(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    assert not careful.site.account.incidents
    assert ticket["needs_approval"] is True
    approved = await decide(careful, ticket, "approve", careful.a_key(person="bob"))
    assert approved.status_code == 200, approved.text
    call = await until_state(careful, ticket["call_id"], "done")
    assert call["approver"] == "bob"
    [incident] = careful.site.account.incidents.values()
    assert incident.title == "Made by hand"
    outcomes = [(record["outcome"], record["approver"]) for record in await careful.audited()]
    assert outcomes == [("waits for approval", None), ("approved", "bob"), ("done", "bob")]


async def test_nobody_approves_what_they_asked_for_with_whichever_key(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    refused = await decide(careful, ticket, "approve", careful.a_key(person="alice"))
    assert refused.status_code == 403
    assert "nobody approves what they asked for" in refused.json()["error"]["message"]
    assert (await careful.get(f"/api/tool-calls/{ticket['call_id']}"))["state"] == "waiting"


@pytest.mark.parametrize("spelling", ["Alice", " alice ", "ＡＬＩＣＥ"])
async def test_a_person_is_the_same_however_the_name_is_written(careful: System, spelling: str) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    refused = await decide(careful, ticket, "approve", careful.a_key(person=spelling))
    assert refused.status_code == 403
    assert "nobody approves what they asked for" in refused.json()["error"]["message"]


async def test_a_key_without_a_person_approves_nothing(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    for nameless in (dict(careful.headers), careful.a_key(person="")):
        refused = await decide(careful, ticket, "approve", nameless)
        assert refused.status_code == 403
        assert "--person" in refused.json()["error"]["message"]
    assert (await careful.get(f"/api/tool-calls/{ticket['call_id']}"))["state"] == "waiting"


async def test_nobody_approves_what_a_nameless_key_asked_for_that_they_made(careful: System) -> None:
    alice = careful.a_key(person="alice")
    body = {"name": "robot", "permissions": ["tools:read", "tools:write"], "scopes": ["organization:acme"]}
    made = await careful.http.post("/api/api-keys", json=body, headers=alice)
    robot = {"Authorization": f"Bearer {made.json()['key']}"}
    careful.database.write_blocking(
        lambda t: t.execute(
            sa.update(tables.api_keys)
            .where(tables.api_keys.c.id == made.json()["id"])
            .values(person=None, owner="key:robot")
        )
    )
    ticket = await ask(careful, robot)
    assert (await decide(careful, ticket, "approve", alice)).status_code == 403
    assert (await decide(careful, ticket, "approve", careful.a_key(person="bob"))).status_code == 200


async def test_a_personal_connection_is_its_users_own_to_approve(careful: System) -> None:
    mine = add_connection(careful.database, careful.ingress.services.keyring, "personal:alice", rules=RISKY)
    key = careful.a_key(scopes=("personal:alice",), person="alice")
    ticket = await ask(careful, key, connection=mine)
    assert (await decide(careful, ticket, "approve", key)).status_code == 200


async def test_what_was_denied_is_not_done(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    denied = await decide(careful, ticket, "deny", careful.a_key(person="bob"))
    assert denied.json()["state"] == "denied"
    again = await decide(careful, ticket, "approve", careful.a_key(person="carol"))
    assert again.status_code == 409
    assert not careful.site.account.incidents


async def test_an_approval_for_other_arguments_is_none(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    bob = careful.a_key(person="bob")
    wrong = await decide(careful, ticket, "approve", bob, arguments_sha256="0" * 64)
    assert wrong.status_code == 403
    assert "other arguments" in wrong.json()["error"]["message"]
    right = await decide(careful, ticket, "approve", bob, arguments_sha256=ticket["arguments_sha256"])
    assert right.status_code == 200


async def test_a_key_without_the_permission_or_of_another_scope_can_not_approve(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    reader = careful.a_key("tools:read", "tools:write", person="bob")
    assert (await decide(careful, ticket, "approve", reader)).status_code == 403
    foreign = careful.a_key(scopes=("organization:other",), person="bob")
    assert (await decide(careful, ticket, "approve", foreign)).status_code == 404


async def test_what_nobody_approves_expires(careful: System) -> None:
    careful.permit(RISKY.model_copy(update={"approval_hours": 0.5 / 3600}))
    ticket = await ask(careful, careful.a_key(person="alice"))
    call = await until_state(careful, ticket["call_id"], "expired")
    assert call["error"]["message"] == "nobody approved it in time"
    assert not careful.site.account.incidents


async def test_permission_that_is_gone_by_the_time_of_approval_refuses_the_call(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    careful.permit(ConnectionRules(switches={"tool:create_incident": Switch.DENY}))
    await decide(careful, ticket, "approve", careful.a_key(person="bob"))
    call = await until_state(careful, ticket["call_id"], "refused")
    assert call["error"]["rule"] == "the connection tool:create_incident"
    assert not careful.site.account.incidents


async def test_decisions_that_our_api_did_not_sign_are_refused(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    handle = workflow_of(careful, ticket)
    bob = careful.a_key(person="bob")["Authorization"].split("_")[1]
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("decide", {"approve": True, "key_id": bob})
    assert "no proof" in str(refused.value.__cause__)
    claims = decision_claims(ticket["call_id"], ticket["arguments_sha256"], False, bob)
    denial = careful.ingress.services.proof_keys.sign(claims, datetime.now(UTC) + timedelta(minutes=1))
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("decide", {"approve": True, "key_id": bob, "proof": denial})
    assert "something else" in str(refused.value.__cause__)
    assert not careful.site.account.incidents


async def test_refused_decisions_are_audited(careful: System) -> None:
    alice = careful.a_key(person="alice")
    ticket = await ask(careful, alice)
    await decide(careful, ticket, "approve", alice)
    with pytest.raises(WorkflowUpdateFailedError):
        await workflow_of(careful, ticket).execute_update("decide", {"approve": False, "key_id": "forged"})
    told = [(row["outcome"], row.get("claimed_key_id")) for row in (await careful.audited())[1:]]
    assert told == [
        ("approval refused", alice["Authorization"].split("_")[1]),
        ("denial refused", "forged"),
    ]


async def test_a_decision_that_no_worker_takes_ends_in_words(
    careful: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.tools.service.DECISION_SECONDS", 0.3)
    ticket = await ask(careful, careful.a_key(person="alice"))
    async with careful.without_workers():
        bob = careful.a_key(person="bob")
        late = await decide(careful, ticket, "approve", bob)
        assert late.status_code == 503
        assert (await careful.get(f"/api/tool-calls/{ticket['call_id']}"))["state"] == "waiting"


async def test_operators_approve_nothing_in_the_temporal_ui_by_default(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    handle = workflow_of(careful, ticket)
    await handle.signal("approve", {"by": "Olga of operations"})
    await handle.signal("deny", {"by": "Olga of operations"})
    call = await until_state(careful, ticket["call_id"], "denied")
    assert call["approver"] == "Olga of operations (operator, unverified)"
    assert not careful.site.account.incidents
    # The call's end is audited too, before or after this line is reached.
    assert [record["verified"] for record in await careful.audited() if "verified" in record] == [False]


def workflow_of(service: System, ticket: dict[str, Any]) -> WorkflowHandle[Any, Any]:
    return service.temporal.get_workflow_handle(
        tool_call_workflow_id(service.connection_id, ticket["call_id"])
    )


async def test_operators_decide_in_the_temporal_ui_where_the_configuration_says_so(parts: Parts) -> None:
    async with running_system(parts, operator_approvals=True) as careful:
        careful.permit(RISKY)
        await operators_approve(careful)


async def operators_approve(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    handle = workflow_of(careful, ticket)
    await handle.signal("approve", {"by": ""})
    await handle.signal("approve", {"by": "Alice"})
    await handle.signal("approve", {"by": "Olga of operations"})
    call = await until_state(careful, ticket["call_id"], "done")
    assert call["approver"] == "Olga of operations (operator, unverified)"
    assert len(careful.site.account.incidents) == 1


async def test_a_decision_after_a_denial_conflicts_and_says_who_denied(careful: System) -> None:
    ticket = await ask(careful, careful.a_key(person="alice"))
    denied = await decide(careful, ticket, "deny", careful.a_key(person="bob"))
    assert denied.status_code == 200, denied.text
    late = await decide(careful, ticket, "approve", careful.a_key(person="carol"))
    assert late.status_code == 409
    assert "it is denied by bob" in late.json()["error"]["message"]
    out = io.StringIO()
    console = new_console(out, width=200)
    console.print(audit_table((await careful.get("/api/audit?limit=5"))["rows"]))
    console.print(call_view(denied.json(), []))
    shown = out.getvalue()
    assert len(re.findall(r"denied by +bob", shown)) == 2
