"""What a drill may do, and the tool calls of its steps: each passes the same gate as any other call."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill import GRACE_SECONDS, TITLE, DrillState, DrillStep
from calmo_pagerduty.escalation.drill_store import Drill
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import Judgement, PrincipalRights, judge

CREATE, UPDATE, RESOLVE = "create_incident", "update_incident", "resolve_incident"
MAX_WORDS = 200
_GONE = Judgement(False, "gone", "the connection or the API key is gone")


def why_refused(
    tx: Transaction, connection_id: str, service_id: str, key_id: str | None, now: datetime
) -> tuple[str, str]:
    """Return why the drill may not be held ("" if it may), and the key whose rights it has.

    Opening may wait for an approval. Resolving may not: a drill ends by itself, at any hour.
    """
    named = drills.get_drill_service(tx, connection_id, service_id)
    if named is None:
        advice = f"calmo-pagerduty escalation drill-service {service_id}"
        return f"the service was not named for drills: {advice}", key_id or ""
    key = key_id or named.key_id
    opening = _judged(tx, connection_id, key, CREATE, now)
    if not opening.allowed:
        return f"a drill must be able to open its incident: {opening.words}", key
    ending = _judged(tx, connection_id, key, RESOLVE, now)
    if ending.allowed and not ending.needs_approval:
        return "", key
    why = "it needs an approval" if ending.allowed else ending.words
    return f"a drill must be able to resolve its incident by itself, and {RESOLVE} is not free: {why}", key


def why_left_out(tx: Transaction, drill: Drill, step: DrillStep, now: datetime) -> str:
    """Return why a step is left out; "" if it isn't. Nobody may be awake to approve of a step."""
    tool, _ = call_of(drill, step)
    judgement = _judged(tx, drill.connection_id, drill.key_id, tool, now)
    if not judgement.allowed:
        return judgement.words
    return f"{tool} needs an approval" if judgement.needs_approval and step in _LEFT_OUT else ""


def steps_left_out(tx: Transaction, drill: Drill, now: datetime) -> list[str]:
    """Return a sentence for each step that was not done, and why."""
    done = {DrillStep.ESCALATE: drill.escalated_at, DrillStep.ACKNOWLEDGE: drill.acknowledged_at}
    found = []
    for step, words in ((DrillStep.ESCALATE, "Not escalated"), (DrillStep.ACKNOWLEDGE, "Not acknowledged")):
        if done[step] is not None:
            continue
        call = call_of_step(tx, drill, step)
        why = why_left_out(tx, drill, step, now) if call is None else why_not_done(call)
        if why:
            found.append(f"{words} by the drill: {why}")
    return found


def why_not_done(call: ToolCall) -> str:
    """Return a call's state, and PagerDuty's answer if there is one."""
    message = sanitize_text(str((call.error or {}).get("message") or ""), MAX_WORDS)
    return f"the call {call.id} is {call.state}" + (f" ({message})" if message else "")


def opening_call(tx: Transaction, drill: Drill) -> ToolCall | None:
    """Return the call that opens the drill's incident, if it was filed."""
    return call_of_step(tx, drill, DrillStep.OPEN)


def waiting_call(tx: Transaction, drill: Drill) -> str | None:
    """Return the id of the opening call if a person must approve it before anybody is paged."""
    call = opening_call(tx, drill) if drill.state is DrillState.OPENING else None
    return None if call is None or call.state is not CallState.WAITING else call.id


def call_of(drill: Drill, step: DrillStep) -> tuple[str, Mapping[str, Any]]:
    """Return the tool and the arguments of a step."""
    if step is DrillStep.OPEN:
        return CREATE, {
            "title": TITLE,
            "service_id": drill.service_id,
            "incident_key": drill.incident_key,
            "details": f"Drill {drill.id}. It ends by itself within"
            f" {(drill.watch_seconds + GRACE_SECONDS) // 60} minutes.",
        }
    incident = {"incident_id": drill.incident_id}
    if step is DrillStep.ESCALATE:
        return UPDATE, {**incident, "escalation_level": 2}
    if step is DrillStep.ACKNOWLEDGE:
        return UPDATE, {**incident, "status": "acknowledged"}
    return RESOLVE, {**incident, "resolution": "The drill is over."}


def idempotency_key(drill: Drill, step: DrillStep) -> str:
    return f"drill:{drill.id}:{step}"


def call_of_step(tx: Transaction, drill: Drill, step: DrillStep) -> ToolCall | None:
    """Return the call of a step, if it was filed."""
    key = idempotency_key(drill, step)
    return tool_calls.get_repeated_call(tx, drill.connection_id, (drill.key_id,), key)


_LEFT_OUT = frozenset({DrillStep.ESCALATE, DrillStep.ACKNOWLEDGE})


def _judged(tx: Transaction, connection_id: str, key_id: str, tool: str, now: datetime) -> Judgement:
    connection = connections.get_connection(tx, EVERYTHING, connection_id)
    caller = api_keys.get_principal(tx, key_id, now)
    if connection is None or caller is None or caller.is_service:
        return _GONE
    if not caller.visibility.admits(connection.scope):
        return _GONE
    rights = PrincipalRights(caller.permissions, caller.teams)
    return judge(TOOLS[tool], rights, connection.rules, connection.facts)
