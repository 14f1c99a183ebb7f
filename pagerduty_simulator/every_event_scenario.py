"""A scenario with each documented event type at least once, a second apart: two incidents, one service."""

from typing import Any, Final

from pagerduty_simulator.scenarios import Scenario, Step

_CHECKOUT: Final[dict[str, Any]] = {
    "service_id": "Checkout API",
    "title": "Checkout: payment page answers 502",
    "priority_id": "P3",
}
_TWIN: Final[dict[str, Any]] = {
    "service_id": "Payment gateway",
    "title": "Payment gateway: connections refused",
}
_BY: Final[dict[str, Any]] = {"by": "Priya Raman"}

# Incident (empty for an operation without one), operation, arguments.
_STEPS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("", "ping", _BY),
    ("", "create_service", {"name": "Gift cards", "escalation_policy_id": "Payments on-call"}),
    (
        "",
        "set_service_custom_fields",
        {"service_id": "Gift cards", "values": {"regions": ("eu", "us"), "tier": "2"}},
    ),
    ("", "rename_service", {"service_id": "Gift cards", "name": "Vouchers", **_BY}),
    ("", "delete_service", {"service_id": "Vouchers", **_BY}),
    ("checkout", "trigger", _CHECKOUT),
    ("checkout", "acknowledge", _BY),
    ("checkout", "set_priority", {"priority_id": "P1", **_BY}),
    ("checkout", "annotate", {"content": "Started right after the release.", **_BY}),
    ("checkout", "escalate", _BY),
    ("checkout", "acknowledge", {"by": "Jonas Lindqvist"}),
    ("checkout", "unacknowledge", {}),
    ("checkout", "reassign", {"assignee_ids": ("Sofia Castro",), **_BY}),
    ("checkout", "delegate", {"escalation_policy_id": "Platform on-call", **_BY}),
    ("checkout", "change_service", {"service_id": "Payment gateway", **_BY}),
    ("checkout", "change_incident_type", {"incident_type": "major", **_BY}),
    ("checkout", "publish_status_update", {"message": "We are rolling back.", **_BY}),
    ("checkout", "add_responder", {"user_id": "Mei Tanaka", "message": "Can you look?", **_BY}),
    ("checkout", "responder_replied", {"user_id": "Mei Tanaka", "state": "declined"}),
    (
        "checkout",
        "set_conference_bridge",
        {"number": "+1 555 0100,,4242#", "url": "https://meet.example/checkout", **_BY},
    ),
    ("checkout", "set_custom_fields", {"values": {"region": "eu", "release": "311"}, **_BY}),
    ("checkout", "set_custom_fields", {"values": {"region": "eu and us"}, **_BY}),
    ("checkout", "assign_role", {"role_name": "Scribe", "user_id": "Mei Tanaka", **_BY}),
    ("checkout", "assign_role", {"role_name": "Scribe", "user_id": None, **_BY}),
    ("checkout", "create_task", {"name": "Write to the affected customers", **_BY}),
    ("checkout", "move_task", {"task_id": "latest", "status": "in_progress", **_BY}),
    ("checkout", "move_task", {"task_id": "latest", "status": "done", **_BY}),
    ("checkout", "invoke_action", {"action_name": "Restart payment pods", **_BY}),
    ("checkout", "move_action", {"invocation_id": "latest", "state": "running"}),
    ("checkout", "move_action", {"invocation_id": "latest", "state": "completed"}),
    ("checkout", "start_workflow", {"workflow_name": "Major incident response"}),
    ("checkout", "complete_workflow", {}),
    ("checkout", "set_priority", {"priority_id": None, **_BY}),
    ("checkout", "resolve", {"note": "Rolled back.", **_BY}),
    ("checkout", "reopen", _BY),
    ("twin", "trigger", _TWIN),
    ("twin", "merge", {"into_incident_id": "checkout", **_BY}),
    ("checkout", "resolve", _BY),
)

EVERY_EVENT: Final = Scenario(
    "every-event",
    tuple(Step(float(second), *step) for second, step in enumerate(_STEPS)),
)
