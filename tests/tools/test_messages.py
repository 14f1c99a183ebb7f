"""What was really lost is sent again, if PagerDuty can tell; else a person must look."""

import pytest

from calmo_pagerduty.pagerduty.errors import InvalidRequest, OutcomeUnknown
from calmo_pagerduty.tools.markers import marker
from tests.support.plan_runs import AGAIN, FIRST, listed, run

NOTE = {"incident_id": "P1", "content": "Hi"}
HELP = {"incident_id": "P1", "message": "Help", "targets": [{"type": "escalation_policy", "id": "PE1"}]}
ADA = listed({"id": "PU8", "email": "adam@example.org"}, {"id": "PU9", "email": "ada@example.org"})


def test_a_note_that_was_lost_is_written_once() -> None:
    others = {"notes": [{"id": "N0", "content": f"Hi {marker('another call')}"}]}
    assert len(run("add_incident_note", NOTE, others, {"note": {"id": "N1"}}, call=AGAIN).writes) == 1


def test_a_request_for_help_that_was_lost_is_sent_once() -> None:
    none = {"incident": {"id": "P1", "responder_requests": []}}
    done = run("request_responders", HELP, none, ADA, {}, call=AGAIN)
    assert len(done.writes) == 1
    assert done.body() == {
        "requester_id": "PU9",
        "message": f"Help\n\n{marker('call-1')}",
        "responder_request_targets": [
            {"responder_request_target": {"id": "PE1", "type": "escalation_policy_reference"}}
        ],
    }


def test_a_requested_user_is_named() -> None:
    """PagerDuty's answer names a user only among the target's responders."""
    lee = {"id": "PU7", "type": "user_reference", "summary": "Lee Turner"}
    target = {"type": "user", "id": "PU7", "incidents_responders": [{"state": "pending", "user": lee}]}
    answer = {"responder_request": {"responder_request_targets": [{"responder_request_target": target}]}}
    done = run("request_responders", HELP, ADA, answer)
    assert done.result["targets"][0]["summary"] == "Lee Turner"


def test_a_status_update_carries_no_mark_and_is_found_by_its_text() -> None:
    """Stakeholders read it."""
    arguments = {"incident_id": "P1", "message": "Orders are late"}
    assert run("publish_status_update", arguments, {}).body()["message"] == "Orders are late"
    other = {"id": "R1", "channel": {"summary": "Orders are late again"}}
    sent = {"id": "R2", "channel": {"message": "Orders are late "}}
    done = run("publish_status_update", arguments, listed(other, sent), call=AGAIN)
    assert (done.writes, done.result["id"]) == ([], "R2")
    with pytest.raises(OutcomeUnknown):
        run("publish_status_update", arguments, listed(other), call=AGAIN)


def test_a_status_update_that_cannot_be_found_is_left_to_a_person() -> None:
    arguments = {"incident_id": "P1", "message": "Hi"}
    with pytest.raises(OutcomeUnknown, match="look at the incident"):
        run("publish_status_update", arguments, listed({"id": "R1", "type": "notify_log_entry"}), call=AGAIN)


def test_a_request_for_help_is_looked_for_in_the_log_if_the_incident_does_not_tell() -> None:
    silent = {"incident": {"id": "P1"}}
    entry = {"id": "R1", "summary": marker("call-1"), "created_at": "2026-03-02T12:00:05Z"}
    done = run("request_responders", HELP, silent, listed(entry), call=AGAIN)
    assert done.writes == [] and done.query(1)["since"] == ["2026-03-02T11:59:00Z"]
    with pytest.raises(OutcomeUnknown):
        run("request_responders", HELP, silent, listed(), call=AGAIN)


def test_help_is_asked_for_in_the_name_of_the_tokens_user() -> None:
    nobody = FIRST.model_copy(update={"from_address": None})
    done = run("request_responders", HELP, {"user": {"id": "PME"}}, {}, call=nobody)
    assert done.body()["requester_id"] == "PME"
    with pytest.raises(InvalidRequest, match="e-mail address"):
        run("request_responders", HELP, InvalidRequest("account token"), call=nobody)


def test_help_is_not_asked_for_in_the_name_of_somebody_with_a_similar_address() -> None:
    with pytest.raises(InvalidRequest) as caught:
        run("request_responders", HELP, listed({"id": "PU8", "email": "adam@example.org"}))
    assert "example.org" not in str(caught.value)
