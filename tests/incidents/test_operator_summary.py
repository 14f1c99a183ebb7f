"""The card that operators read: where an incident stands and what it waits for."""

from datetime import timedelta

import pytest

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.lifecycle import IncidentState
from calmo_pagerduty.incidents.operator_summary import operator_summary
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from tests.support.builders import NOON

REF = IncidentRef(connection_id="con_1", incident_id="QINCIDENT1")


def test_a_card_says_in_words_how_the_incident_stands() -> None:
    state = IncidentState(
        status=IncidentStatus.RESOLVED,
        severity=Severity.CRITICAL,
        priority="P1",
        service_id="PBASKET",
        team_ids=("PWEB", "PDB"),
        number=42,
        as_of=NOON,
        completes_at=NOON + timedelta(hours=24),
        last_event_type="incident.resolved",
        last_event_at=NOON,
    )
    assert operator_summary(REF, state) == "\n".join(
        [
            "## Incident #42 `QINCIDENT1` is **resolved**",
            "- Severity **critical**, priority P1",
            "- Service `PBASKET`, teams `PWEB`, `PDB`",
            f"- Issue `{REF.issue_id}`, connection `con_1`",
            "- Last event: incident.resolved, 2026-06-01 12:00:00 UTC",
            "- Waits for a reopening; completes at 2026-06-02 12:00:00 UTC if none comes",
        ]
    )


def test_a_card_admits_what_is_not_known_yet() -> None:
    card = operator_summary(REF, IncidentState())
    assert "## Incident `QINCIDENT1` is **triggered**" in card
    assert "priority not set" in card
    assert "Service `not known yet`, teams none" in card
    assert "so its status is a guess" in card
    assert "Last event" not in card


@pytest.mark.parametrize(
    ("status", "waits_for"),
    [
        (IncidentStatus.TRIGGERED, "somebody to acknowledge it"),
        (IncidentStatus.ACKNOWLEDGED, "it to be resolved"),
        (IncidentStatus.RESOLVED, "a reopening"),
    ],
)
def test_a_card_says_what_is_waited_for(status: IncidentStatus, waits_for: str) -> None:
    assert operator_summary(REF, IncidentState(status=status)).endswith(f"- Waits for {waits_for}")
