"""The runs of incidents' workflows: what one begins with, whatever starts it."""

from datetime import timedelta

import pytest

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.lifecycle import IncidentState, publication_of
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.webhooks.synthetic_incidents import SYNTHETIC_PREFIX
from ingress.forwarding.incident_starter import IncidentStarter
from workflows import names

SCOPE = "organization:acme"
REF = IncidentRef(connection_id="con_1", incident_id="Q1ABC")
SELF_TEST = IncidentRef(connection_id="con_1", incident_id=f"{SYNTHETIC_PREFIX}1234")


def starter(gathers_context: bool = True) -> IncidentStarter:
    return IncidentStarter("incidents", timedelta(hours=3), 77, gathers_context)


@pytest.mark.parametrize("state", [None, IncidentState()], ids=["for an event", "for an action"])
@pytest.mark.parametrize(
    ("ref", "enabled", "gathers"), [(REF, True, True), (REF, False, False), (SELF_TEST, True, False)]
)
def test_every_incident_but_a_self_test_gathers_its_context_if_that_is_switched_on(
    ref: IncidentRef, enabled: bool, gathers: bool, state: IncidentState | None
) -> None:
    run = starter(enabled).run(ref, SCOPE, {}, None, state)
    assert run.start.gathers_context is gathers


def test_a_run_has_the_settings_and_what_is_known_of_its_incident() -> None:
    state = IncidentState(status=IncidentStatus.ACKNOWLEDGED)
    run = starter().run(REF, SCOPE, {"p1": Severity.CRITICAL}, publication_of(state), state)
    assert (run.task_queue, run.workflow_id) == ("incidents", REF.workflow_id)
    assert (run.start.complete_after, run.start.continue_as_new_after) == (timedelta(hours=3), 77)
    assert (run.start.state, run.start.published) == (state, publication_of(state))
    assert run.start.severities == {"p1": Severity.CRITICAL}


def test_a_run_is_found_by_connection_incident_and_scope_and_by_its_status_if_that_is_known() -> None:
    always = {names.INCIDENT_ID, names.CONNECTION, names.SCOPE}
    unknown = starter().run(REF, SCOPE, {}, None)
    known = starter().run(REF, SCOPE, {}, publication_of(IncidentState()))
    assert {pair.key for pair in unknown.search_attributes} == always
    assert {pair.key for pair in known.search_attributes} > always | {names.STATUS}
