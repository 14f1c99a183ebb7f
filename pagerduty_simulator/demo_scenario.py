"""The demo scenario: a quarter of an hour of trouble in an online shop, played in 90 seconds.

Seven incidents overlap, P1 to P5 and without priority. Each is acknowledged, annotated, escalated,
resolved, reopened and resolved for good, with realistic steps between.
"""

from typing import Any, Final

from pagerduty_simulator.scenarios import Scenario, Step, in_order


def _steps(incident: str, *rows: tuple[float, str, dict[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(at, incident, operation, arguments) for at, operation, arguments in rows)


def _opened(service: str, title: str, priority: str | None, urgency: str = "high") -> dict[str, Any]:
    return {"service_id": service, "title": title, "priority_id": priority, "urgency": urgency}


def _by(name: str, **more: Any) -> dict[str, Any]:
    return {"by": name, **more}


_DATABASE: Final = _steps(
    "database",
    (0.0, "trigger", _opened("Order database", "Order database refuses writes", "P2")),
    (3.0, "acknowledge", _by("Amara Okafor")),
    (6.0, "set_priority", _by("Amara Okafor", priority_id="P1")),
    (8.0, "annotate", _by("Amara Okafor", content="Primary is read-only since its disk filled.")),
    (10.0, "start_workflow", {"workflow_name": "Major incident response"}),
    (12.0, "escalate", _by("Amara Okafor")),
    (14.0, "acknowledge", _by("Luc Delorme")),
    (16.0, "assign_role", _by("Luc Delorme", role_name="Incident Commander", user_id="Luc Delorme")),
    (20.0, "add_responder", _by("Luc Delorme", user_id="Priya Raman", message="Payments too?")),
    (23.0, "responder_replied", {"user_id": "Priya Raman", "state": "joined"}),
    (26.0, "publish_status_update", _by("Luc Delorme", message="Orders are delayed, not lost.")),
    (34.0, "resolve", _by("Luc Delorme", note="Failed over to the replica; writes are back.")),
    (44.0, "reopen", _by("Luc Delorme")),
    (47.0, "acknowledge", _by("Amara Okafor")),
    (60.0, "complete_workflow", {}),
    (64.5, "resolve", _by("Amara Okafor")),
)

_CHECKOUT: Final = _steps(
    "checkout",
    (4.0, "trigger", _opened("Checkout API", "Checkout: one order in five fails", "P2")),
    (7.0, "acknowledge", _by("Priya Raman")),
    (11.0, "annotate", _by("Priya Raman", content="Failures began with the database incident.")),
    (15.0, "escalate", _by("Priya Raman")),
    (17.0, "acknowledge", _by("Jonas Lindqvist")),
    (21.0, "reassign", _by("Jonas Lindqvist", assignee_ids=("Sofia Castro",))),
    (24.0, "acknowledge", _by("Sofia Castro")),
    (38.0, "resolve", _by("Sofia Castro")),
    (48.0, "reopen", _by("Sofia Castro")),
    (51.0, "acknowledge", _by("Priya Raman")),
    (66.0, "resolve", _by("Priya Raman")),
)

_CDN: Final = _steps(
    "cdn",
    (9.0, "trigger", _opened("Image CDN", "Image CDN: product pictures time out in Europe", "P3")),
    (13.0, "acknowledge", _by("Ines Albrecht")),
    (19.0, "annotate", _by("Ines Albrecht", content="Cache hit ratio fell from 97 % to 61 %.")),
    (22.0, "escalate", {}),
    (27.0, "acknowledge", _by("Tomasz Wolny")),
    (31.0, "publish_status_update", _by("Tomasz Wolny", message="Pictures may load slowly.")),
    (40.0, "resolve", _by("Tomasz Wolny")),
    (52.0, "reopen", _by("Ines Albrecht")),
    (55.0, "acknowledge", _by("Ines Albrecht")),
    (68.0, "resolve", _by("Ines Albrecht")),
)

_DISK: Final = _steps(
    "disk",
    (16.5, "trigger", _opened("Log store", "Log store: disk 91 % full on node 3", "P4", "low")),
    (25.0, "acknowledge", _by("Amara Okafor")),
    (28.0, "annotate", _by("Amara Okafor", content="Debug logging was left on in search.")),
    (33.0, "escalate", _by("Amara Okafor")),
    (36.0, "acknowledge", _by("Luc Delorme")),
    (46.0, "resolve", _by("Luc Delorme")),
    (57.0, "reopen", {}),
    (70.0, "resolve", _by("Luc Delorme")),
)

_CERTIFICATE: Final = _steps(
    "certificate",
    (22.5, "trigger", _opened("Edge proxies", "TLS certificate expires in 10 days", "P5", "low")),
    (29.0, "acknowledge", _by("Amara Okafor")),
    (32.0, "annotate", _by("Amara Okafor", content="Renewal failed: the DNS check timed out.")),
    (37.0, "escalate", {}),
    (41.0, "acknowledge", _by("Luc Delorme")),
    (50.0, "resolve", _by("Luc Delorme")),
    (59.0, "reopen", _by("Mei Tanaka")),
    # It stays open long enough to be resolved from Calmo's side, on a slow machine too.
    (90.0, "resolve", _by("Mei Tanaka")),
)

_SEARCH: Final = _steps(
    "search",
    (26.5, "trigger", _opened("Search", "Search: results take more than 4 seconds", None)),
    (30.0, "acknowledge", _by("Ines Albrecht")),
    (35.0, "annotate", _by("Ines Albrecht", content="Index rebuild runs at the wrong hour.")),
    (39.0, "delegate", _by("Ines Albrecht", escalation_policy_id="Platform on-call")),
    (42.0, "escalate", {}),
    (45.0, "acknowledge", _by("Luc Delorme")),
    (53.0, "resolve", _by("Luc Delorme")),
    (61.0, "reopen", _by("Ines Albrecht")),
    (74.0, "resolve", _by("Ines Albrecht")),
)

_GATEWAY: Final = _steps(
    "gateway",
    (32.5, "trigger", _opened("Payment gateway", "Payment gateway: card answers late", None)),
    (34.5, "acknowledge", _by("Priya Raman")),
    (37.5, "set_priority", _by("Priya Raman", priority_id="P2")),
    (43.0, "annotate", _by("Priya Raman", content="The bank confirms a fault on its side.")),
    (46.5, "escalate", _by("Priya Raman")),
    (49.0, "acknowledge", _by("Jonas Lindqvist")),
    (54.0, "unacknowledge", {}),
    (56.0, "acknowledge", _by("Jonas Lindqvist")),
    (58.0, "resolve", _by("Jonas Lindqvist")),
    (63.0, "reopen", _by("Jonas Lindqvist", acknowledged=True)),
    (76.0, "resolve", _by("Jonas Lindqvist")),
)

DEMO: Final = Scenario(
    "demo",
    in_order(*_DATABASE, *_CHECKOUT, *_CDN, *_DISK, *_CERTIFICATE, *_SEARCH, *_GATEWAY),
)
