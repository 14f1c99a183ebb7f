"""Writes to incidents change what is asked for, and happen once however often they are repeated."""

from typing import Any

import pytest

from calmo_pagerduty.pagerduty.errors import AlreadySo, ChangedMeanwhile, InvalidRequest, Unreachable
from calmo_pagerduty.tools.markers import marker
from tests.support.plan_runs import AGAIN, FIRST, Answer, listed, run

NEW = {"title": "Down", "service_id": "PS1"}
MARK = marker("call-1")
#: As whom PagerDuty knows us.
AGAIN_AS_US = AGAIN.model_copy(update={"agent_id": "PU9"})


def incident(**fields: Any) -> dict[str, Any]:
    return {"incident": {"id": "P1", "status": "triggered"} | fields}


def test_an_incident_is_created_in_somebodys_name_under_the_calls_key() -> None:
    done = run("create_incident", NEW | {"details": "Look", "priority_id": "PP"}, incident())
    assert done.writes[0].in_the_name_of
    assert done.body()["incident"] == {
        "type": "incident",
        "title": "Down",
        "service": {"id": "PS1", "type": "service_reference"},
        "incident_key": "calmo-call-1",
        "priority": {"id": "PP", "type": "priority_reference"},
        "body": {"type": "incident_body", "details": "Look"},
    }


@pytest.mark.parametrize("status", ["triggered", "resolved"])
def test_an_incident_whose_answer_was_lost_is_found_again(status: str) -> None:
    with pytest.raises(Unreachable):
        run("create_incident", NEW, Unreachable("lost"))
    there = {"id": "P1", "status": status, "incident_key": "calmo-call-1"}
    done = run("create_incident", NEW, listed(there), call=AGAIN)
    assert done.writes == []
    assert done.result["existed"] is True
    assert done.query()["incident_key"] == ["calmo-call-1"]
    assert done.query()["date_range"] == ["all"]
    assert done.query()["statuses[]"] == ["triggered", "acknowledged", "resolved"]


def test_an_incident_that_was_never_made_is_made_by_the_repetition() -> None:
    assert len(run("create_incident", NEW, listed(), incident(), call=AGAIN).writes) == 1


def test_an_older_resolved_incident_with_the_callers_key_is_not_ours() -> None:
    old = {"id": "P0", "status": "resolved", "created_at": "2026-02-01T00:00:00Z", "incident_key": "disk"}
    done = run("create_incident", NEW | {"incident_key": "disk"}, listed(old), incident(), call=AGAIN)
    assert len(done.writes) == 1


def test_a_second_incident_with_an_open_key_is_the_first_one() -> None:
    there = {"id": "P1", "status": "acknowledged", "incident_key": "disk"}
    done = run(
        "create_incident", NEW | {"incident_key": "disk"}, InvalidRequest("matching key"), listed(there)
    )
    assert (done.result["id"], done.result["existed"]) == ("P1", True)


def test_an_incident_that_pagerduty_finds_wrong_stays_refused() -> None:
    with pytest.raises(InvalidRequest, match="bad title"):
        run("create_incident", NEW, InvalidRequest("bad title"), listed())


def test_a_resolved_incident_is_not_opened_again_by_the_way() -> None:
    with pytest.raises(InvalidRequest, match="reopen"):
        run("update_incident", {"incident_id": "P1", "status": "acknowledged"}, incident(status="resolved"))
    arguments = {"incident_id": "P1", "status": "acknowledged", "reopen": True}
    assert run("update_incident", arguments, incident()).body() == {
        "incident": {"type": "incident_reference", "status": "acknowledged"}
    }


def test_an_update_sends_one_request_with_all_changes() -> None:
    arguments = {"incident_id": "P1", "urgency": "low", "assignee_ids": ["PU1", "PU2"], "title": "Slow"}
    done = run("update_incident", arguments, incident())
    assert done.lines == ["PUT /incidents/P1"]
    assert done.body()["incident"]["assignments"] == [
        {"assignee": {"id": "PU1", "type": "user_reference"}},
        {"assignee": {"id": "PU2", "type": "user_reference"}},
    ]


def test_a_status_that_it_has_already_keeps_no_other_change_back() -> None:
    arguments = {"incident_id": "P1", "status": "acknowledged", "title": "Slow"}
    done = run("update_incident", arguments, incident(), AlreadySo("is so"), incident())
    assert done.body()["incident"] == {"type": "incident_reference", "title": "Slow"}


def an_assignment(user_id: str) -> dict[str, Any]:
    return {"assignments": [{"assignee": {"id": user_id}}], "escalation_policy": {"id": "PE1"}}


@pytest.mark.parametrize(
    "asked",
    [{"assignee_ids": ["PU1"]}, {"escalation_policy_id": "PE1"}, {"status": "triggered", "reopen": True}],
)
def test_what_an_earlier_attempt_has_done_is_not_done_again(asked: dict[str, Any]) -> None:
    arguments = {"incident_id": "P1", **asked}
    done = run("update_incident", arguments, incident(**an_assignment("PU1")), call=AGAIN)
    assert done.writes == []
    assert done.result["status"] == "triggered"


@pytest.mark.parametrize("asked", [{"assignee_ids": ["PU2"]}, {"escalation_policy_id": "PE2"}])
def test_what_no_attempt_has_done_is_done_by_the_repetition(asked: dict[str, Any]) -> None:
    there = incident(**an_assignment("PU1"))
    done = run("update_incident", {"incident_id": "P1", **asked}, there, there, call=AGAIN)
    assert len(done.writes) == 1


@pytest.mark.parametrize(("kind", "writes"), [("escalate_log_entry", 0), ("notify_log_entry", 1)])
def test_an_escalation_is_looked_for_in_the_log_before_it_is_repeated(kind: str, writes: int) -> None:
    asked = {"incident_id": "P1", "escalation_level": 2}
    answers: list[Any] = [incident(), listed({"type": kind}), *[incident()] * writes]
    done = run("update_incident", asked, *answers, call=AGAIN)
    assert len(done.writes) == writes
    assert done.query(1)["since"] == ["2026-03-02T11:59:55Z"]


def escalated_by(user: str) -> dict[str, Any]:
    return {"type": "escalate_log_entry", "agent": {"id": user, "type": "user_reference"}}


def test_somebody_elses_escalation_is_not_taken_for_ours() -> None:
    asked = {"incident_id": "P1", "escalation_level": 2}
    theirs, ours = listed(escalated_by("PU2")), listed(escalated_by("PU2"), escalated_by("PU9"))
    done = run("update_incident", asked, incident(), theirs, incident(), call=AGAIN_AS_US)
    assert len(done.writes) == 1
    done = run("update_incident", asked, incident(), ours, call=AGAIN_AS_US)
    assert done.writes == []


@pytest.mark.parametrize(("who", "unchanged"), [("PU9", None), ("PU2", True)])
def test_what_somebody_else_did_between_two_attempts_is_not_claimed(who: str, unchanged: bool | None) -> None:
    there = incident(status="resolved", last_status_change_by={"id": who, "type": "user_reference"})
    done = run("resolve_incident", {"incident_id": "P1"}, AlreadySo("is so"), there, call=AGAIN_AS_US)
    assert done.result.get("unchanged") is unchanged
    opened = incident(last_status_change_by={"id": who, "type": "user_reference"})
    asked = {"incident_id": "P1", "status": "triggered", "reopen": True}
    done = run("update_incident", asked, opened, call=AGAIN_AS_US)
    assert (done.writes, done.result.get("unchanged")) == ([], unchanged)


def test_who_acknowledged_what_we_had_opened_did_not_open_it() -> None:
    there = incident(status="acknowledged", last_status_change_by={"id": "PU2", "type": "user_reference"})
    asked = {"incident_id": "P1", "status": "triggered", "reopen": True}
    done = run("update_incident", asked, there, call=AGAIN_AS_US)
    assert done.writes == []
    assert "unchanged" not in done.result


def test_a_repetition_opens_no_resolved_incident_by_the_way() -> None:
    asked = {"incident_id": "P1", "status": "acknowledged", "assignee_ids": ["PU1"]}
    with pytest.raises(InvalidRequest, match="reopen"):
        run("update_incident", asked, incident(status="resolved"), call=AGAIN)


def test_resolving_a_resolved_incident_is_a_success() -> None:
    done = run("resolve_incident", {"incident_id": "P1"}, AlreadySo("is so"), incident(status="resolved"))
    assert done.result["status"] == "resolved"


def test_an_update_that_lost_a_race_is_made_once_more() -> None:
    arguments = {"incident_id": "P1", "title": "Slow"}
    done = run("update_incident", arguments, ChangedMeanwhile("race"), incident(), incident())
    assert done.lines == ["PUT /incidents/P1", "GET /incidents/P1", "PUT /incidents/P1"]
    with pytest.raises(ChangedMeanwhile):
        run("update_incident", arguments, ChangedMeanwhile("1"), incident(), ChangedMeanwhile("2"))


def test_a_snooze_that_took_effect_is_not_begun_anew() -> None:
    snoozed = incident(pending_actions=[{"type": "unacknowledge", "at": "2026-03-02T12:10:00Z"}])
    arguments = {"incident_id": "P1", "seconds": 600}
    assert run("snooze_incident", arguments, snoozed, call=AGAIN).writes == []
    assert len(run("snooze_incident", arguments, incident(), incident(), call=AGAIN).writes) == 1
    shorter = incident(pending_actions=[{"type": "unacknowledge", "at": "2026-03-02T12:05:00Z"}])
    assert len(run("snooze_incident", arguments, shorter, incident(), call=AGAIN).writes) == 1


def test_only_what_is_not_merged_yet_is_merged_again() -> None:
    merged = incident(status="resolved", resolve_reason={"incident": {"id": "P1"}})
    arguments = {"incident_id": "P1", "source_incident_ids": ["P2", "P3"]}
    done = run("merge_incidents", arguments, merged, incident(), {}, incident(), call=AGAIN)
    assert done.body() == {"source_incidents": [{"id": "P3", "type": "incident_reference"}]}
    assert run("merge_incidents", arguments, merged, merged, incident(), call=AGAIN).writes == []
    assert run("merge_incidents", arguments, AlreadySo("merged"), incident()).result["id"] == "P1"


MESSAGES: dict[str, tuple[dict[str, Any], Answer]] = {
    "add_incident_note": (
        {"incident_id": "P1", "content": "Hi"},
        {"notes": [{"id": "N1", "content": f"Hi\n\n{MARK}"}]},
    ),
    "publish_status_update": (
        {"incident_id": "P1", "message": "Hi"},
        listed({"id": "R1", "channel": {"message": "Hi"}}),
    ),
    "request_responders": (
        {"incident_id": "P1", "message": "Help", "targets": [{"type": "user", "id": "PU1"}]},
        incident(responder_requests=[{"message": f"Help\n\n{MARK}"}]),
    ),
}


@pytest.mark.parametrize("tool", MESSAGES)
def test_a_message_whose_answer_was_lost_is_not_sent_twice(tool: str) -> None:
    arguments, there = MESSAGES[tool]
    assert run(tool, arguments, there, call=AGAIN).writes == []


@pytest.mark.parametrize("tool", [tool for tool in MESSAGES if tool != "publish_status_update"])
def test_a_message_carries_the_calls_mark(tool: str) -> None:
    user: list[Answer] = [listed({"id": "PU9", "email": "ADA@example.org"})]
    before = user if tool == "request_responders" else []
    done = run(tool, MESSAGES[tool][0], *before, {})
    assert MARK in str(done.body())
    assert MARK not in str(
        run(tool, MESSAGES[tool][0], *before, {}, call=FIRST.model_copy(update={"id": "2"})).body()
    )


def assigned(*ids: str, priority: str = "PP1") -> dict[str, Any]:
    assignments = [{"assignee": {"id": id_}} for id_ in ids]
    return incident(assignments=assignments, priority={"id": priority, "summary": f"name of {priority}"})


BACK = {"incident_id": "P1", "assignee_ids": ["PU1"], "expected_assignee_ids": ["PU2"]}


def test_a_change_on_a_condition_is_made_once_if_the_incident_is_as_expected() -> None:
    assert len(run("update_incident", BACK, assigned("PU2"), assigned("PU1")).writes) == 1
    already = run("update_incident", BACK, assigned("PU1"))
    assert already.writes == [] and already.result["unchanged"] is True
    again = run("update_incident", BACK, assigned("PU1"), call=AGAIN)
    assert again.writes == [] and "unchanged" not in again.result


def test_a_change_on_a_condition_is_refused_if_somebody_else_was_quicker() -> None:
    with pytest.raises(InvalidRequest, match="assigned to others meanwhile"):
        run("update_incident", BACK, assigned("PU3"))
    priority = {"incident_id": "P1", "priority_name": "P3", "expected_priority_id": "PP1"}
    with pytest.raises(InvalidRequest, match="another priority meanwhile"):
        run("update_incident", priority, assigned("PU1", priority="PP2"))
    done = run("update_incident", priority, assigned("PU1"), assigned("PU1"))
    assert done.body()["incident"]["priority"] == "P3"
