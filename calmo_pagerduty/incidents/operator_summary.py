"""An incident's operator summary in the Temporal UI: its status, and what the workflow waits for."""

from calmo_pagerduty.incidents.lifecycle import IncidentState
from calmo_pagerduty.incidents.operator_links import issue_address
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import IncidentStatus

_WAITS_FOR = {
    IncidentStatus.TRIGGERED: "somebody to acknowledge it",
    IncidentStatus.ACKNOWLEDGED: "it to be resolved",
    IncidentStatus.RESOLVED: "a reopening",
}


def operator_summary(ref: IncidentRef, state: IncidentState, public_address: str | None = None) -> str:
    """Return the summary as Markdown. From PagerDuty it holds ids and the priority's name only.

    With the ingress's `public_address`, the issue is a link: what a run was started with is not shown with
    the runs that continue it.
    """
    number = f" #{state.number}" if state.number is not None else ""
    lines = [
        f"## Incident{number} `{ref.incident_id}` is **{state.status}**",
        f"- Severity **{state.severity}**, priority {state.priority or 'not set'}",
        f"- Service `{state.service_id or 'not known yet'}`, teams {_list(state.team_ids)}",
        f"- Issue {_issue(ref, public_address)}, connection `{ref.connection_id}`",
    ]
    if state.last_event_at is not None:
        lines.append(f"- Last event: {state.last_event_type}, {state.last_event_at:%Y-%m-%d %H:%M:%S} UTC")
    if state.as_of is None:
        lines.append("- No event has shown the whole incident yet, so its status is a guess")
    waiting = _WAITS_FOR[state.status]
    if state.completes_at is not None:
        waiting += f"; completes at {state.completes_at:%Y-%m-%d %H:%M:%S} UTC if none comes"
    lines.append(f"- Waits for {waiting}")
    return "\n".join(lines)


def _issue(ref: IncidentRef, public_address: str | None) -> str:
    if public_address is None:
        return f"`{ref.issue_id}`"
    address = issue_address(public_address, ref)
    return f"[`{ref.issue_id}`]({address}), [at PagerDuty]({address}/pagerduty)"


def _list(ids: tuple[str, ...]) -> str:
    return ", ".join(f"`{id_}`" for id_ in ids) or "none"
