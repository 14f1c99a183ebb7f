"""What operations do to an account, and which events they cause."""

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.account_state import OperationRefused
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.shop import online_shop
from pagerduty_simulator.storms import STORM_BEGINS_AT


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(STORM_BEGINS_AT)


@pytest.fixture
def account(clock: ManualClock) -> Account:
    return online_shop(now=clock.now, seed=7)


def an_incident(account: Account, **arguments: Any) -> str:
    service_id = next(iter(account.services))
    (event,) = account.trigger(service_id, "Shop is slow", **arguments)
    assert event.incident_id is not None
    return event.incident_id


def types_of(events: Sequence[Event]) -> list[EventType]:
    return [event.event_type for event in events]


def data_of(event: Event) -> Any:
    return json.loads(event.body)["event"]["data"]


def test_an_incident_is_triggered_for_its_policy_s_first_level(account: Account) -> None:
    incident = account.incident(an_incident(account))
    assert incident.status == "triggered"
    assert incident.assignees == incident.escalation_policy.levels[0]
    assert incident.number == 1


def test_whoever_opens_an_incident_for_himself_acknowledges_it_130_ms_later(account: Account) -> None:
    user_id = next(iter(account.users))
    service_id = next(iter(account.services))
    events = account.trigger(service_id, "Mine", assignee_ids=(user_id,), by=user_id)
    assert types_of(events) == [EventType.TRIGGERED, EventType.ACKNOWLEDGED]
    assert events[1].occurred_at - events[0].occurred_at == timedelta(milliseconds=130)


def test_an_open_incident_s_key_is_taken_and_a_resolved_one_s_is_free(account: Account) -> None:
    first = an_incident(account, incident_key="db")
    with pytest.raises(OperationRefused) as refused:
        an_incident(account, incident_key="db")
    assert refused.value.code == 2002
    account.resolve(first)
    assert an_incident(account, incident_key="db") != first


def test_a_resolved_incident_has_no_assignees(account: Account) -> None:
    incident_id = an_incident(account)
    (event,) = account.resolve(incident_id)
    assert data_of(event)["assignees"] == []
    assert data_of(event)["status"] == "resolved"
    assert data_of(event)["resolve_reason"] is None


def test_resolving_with_a_note_tells_of_the_note_300_ms_later(account: Account) -> None:
    incident_id = an_incident(account)
    resolved, noted = account.resolve(incident_id, note="Fixed.")
    assert types_of([resolved, noted]) == [EventType.RESOLVED, EventType.ANNOTATED]
    assert noted.occurred_at - resolved.occurred_at == timedelta(milliseconds=300)
    assert data_of(noted)["id"] == account.incident(incident_id).notes[0].id


def test_a_merge_shows_only_as_a_resolution_with_a_reason(account: Account) -> None:
    merged, target = an_incident(account), an_incident(account)
    (event,) = account.merge(merged, target)
    assert event.event_type is EventType.RESOLVED
    assert data_of(event)["resolve_reason"]["type"] == "merge_resolve_reason"
    assert data_of(event)["resolve_reason"]["incident"]["id"] == target


def test_a_reopened_incident_begins_again_at_the_first_level(account: Account, clock: ManualClock) -> None:
    incident_id = an_incident(account)
    account.escalate(incident_id)
    account.resolve(incident_id)
    clock.advance(timedelta(hours=2))
    (event,) = account.reopen(incident_id)
    incident = account.incident(incident_id)
    assert incident.escalation_level == 0
    assert incident.assignees == incident.escalation_policy.levels[0]
    assert data_of(event)["reopened_at"] == "2026-01-05T10:00:00Z"
    assert data_of(event)["status"] == "triggered"


def test_a_reopened_incident_may_be_acknowledged_at_once(account: Account) -> None:
    incident_id = an_incident(account)
    account.resolve(incident_id)
    (event,) = account.reopen(incident_id, acknowledged=True)
    assert data_of(event)["status"] == "acknowledged"


@pytest.mark.parametrize("operation", ["escalate", "reassign", "delegate", "unacknowledge"])
def test_moving_an_acknowledged_incident_puts_it_back_to_triggered(account: Account, operation: str) -> None:
    incident_id = an_incident(account)
    account.acknowledge(incident_id)
    arguments = {
        "escalate": (),
        "reassign": (list(account.users)[5:6],),
        "delegate": (list(account.escalation_policies)[2],),
        "unacknowledge": (),
    }[operation]
    (event,) = getattr(account, operation)(incident_id, *arguments)
    assert account.incident(incident_id).status == "triggered"
    assert data_of(event)["status"] == "triggered"


def test_escalating_pages_the_next_level_until_there_is_none(account: Account) -> None:
    incident_id = an_incident(account)
    levels = account.incident(incident_id).escalation_policy.levels
    for level in levels[1:]:
        account.escalate(incident_id)
        assert account.incident(incident_id).assignees == level
    with pytest.raises(OperationRefused) as refused:
        account.escalate(incident_id)
    assert refused.value.code == 1006


def test_delegating_hands_over_to_the_other_policy_s_first_level(account: Account) -> None:
    incident_id = an_incident(account)
    policy = list(account.escalation_policies.values())[1]
    account.delegate(incident_id, policy.id)
    assert account.incident(incident_id).escalation_policy == policy
    assert account.incident(incident_id).assignees == policy.levels[0]


def test_delegating_lets_the_other_policy_s_teams_join_in(account: Account) -> None:
    incident_id = an_incident(account)
    own, other = account.incidents[incident_id].teams, list(account.escalation_policies.values())[2]
    account.delegate(incident_id, other.id)
    assert account.incidents[incident_id].teams == (*own, *other.teams)
    account.delegate(incident_id, other.id)
    assert account.incidents[incident_id].teams == (*own, *other.teams)


def test_what_is_put_off_happens_when_it_is_due_unless_it_is_refused_by_then(
    account: Account, clock: ManualClock
) -> None:
    first, second = an_incident(account), an_incident(account)
    for incident_id in (first, second):
        account.schedule_step(clock.now() + timedelta(minutes=5), partial(account.resolve, incident_id))
    account.resolve(second)
    assert account.run_due_steps() == ()
    clock.advance(timedelta(minutes=5))
    (event,) = account.run_due_steps()
    assert (event.incident_id, event.event_type) == (first, EventType.RESOLVED)
    assert account.run_due_steps() == ()


def test_what_pagerduty_refuses_is_refused_with_its_code(account: Account) -> None:
    incident_id = an_incident(account)
    account.acknowledge(incident_id)
    with pytest.raises(OperationRefused) as again:
        account.acknowledge(incident_id)
    account.resolve(incident_id)
    with pytest.raises(OperationRefused) as late:
        account.acknowledge(incident_id)
    assert (again.value.code, late.value.code) == (1002, 1001)


def test_a_refused_operation_changes_nothing(account: Account) -> None:
    incident_id = an_incident(account)
    account.resolve(incident_id)
    before = account.incident(incident_id)
    for operation in (account.acknowledge, account.escalate, account.unacknowledge):
        with pytest.raises(OperationRefused):
            operation(incident_id)
    assert account.incident(incident_id) == before


def test_notes_and_the_like_leave_status_and_assignees_alone(account: Account) -> None:
    incident_id = an_incident(account)
    before = account.incident(incident_id)
    user_id = next(iter(account.users))
    account.annotate(incident_id, "A note")
    account.publish_status_update(incident_id, "An update")
    account.add_responder(incident_id, user_id, "Help")
    account.assign_role(incident_id, "Scribe", user_id)
    after = account.incident(incident_id)
    assert (after.status, after.assignees) == (before.status, before.assignees)


def test_snooze_title_and_urgency_change_without_any_event(account: Account) -> None:
    incident_id = an_incident(account)
    account.acknowledge(incident_id)
    account.snooze(incident_id, timedelta(hours=1))
    account.retitle(incident_id, "Shop is down")
    account.set_urgency(incident_id, "low")
    incident = account.incident(incident_id)
    assert (incident.title, incident.urgency) == ("Shop is down", "low")
    assert incident.snoozed_until == STORM_BEGINS_AT + timedelta(hours=1)


def test_only_an_asked_responder_can_reply_and_is_the_agent_of_the_reply(account: Account) -> None:
    incident_id = an_incident(account)
    user_id = list(account.users)[3]
    with pytest.raises(OperationRefused):
        account.responder_replied(incident_id, user_id)
    account.add_responder(incident_id, user_id, "Help")
    (event,) = account.responder_replied(incident_id, user_id, "declined")
    assert data_of(event)["state"] == "declined"
    assert json.loads(event.body)["event"]["agent"]["id"] == user_id


def test_taking_a_role_away_tells_who_had_it(account: Account) -> None:
    incident_id = an_incident(account)
    user_id = next(iter(account.users))
    (given,) = account.assign_role(incident_id, "Scribe", user_id)
    (taken,) = account.assign_role(incident_id, "Scribe", None)
    (before,), (after,) = (data_of(event)["incident_role_assignments"] for event in (given, taken))
    assert after["assignee"] is None
    assert after["old_assignee"]["id"] == user_id
    assert (after["id"], after["role"]) == (before["id"], before["role"])


def test_changed_custom_fields_carry_their_old_values(account: Account) -> None:
    incident_id = an_incident(account)
    account.set_custom_fields(incident_id, {"region": "eu", "tier": "1"})
    (event,) = account.set_custom_fields(incident_id, {"region": "us", "tier": "1"})
    data = data_of(event)
    assert {field["name"]: field["value"] for field in data["custom_fields"]} == {
        "region": "us",
        "tier": "1",
    }
    assert [(field["name"], field["value"]) for field in data["changed_custom_fields"]] == [("region", "eu")]


def test_a_renamed_service_is_known_by_its_new_name_in_its_incidents(account: Account) -> None:
    incident_id = an_incident(account)
    service_id = account.incident(incident_id).service.id
    account.rename_service(service_id, "Storefront")
    assert account.incident(incident_id).service.name == "Storefront"


def test_no_two_events_happen_at_one_moment_even_while_the_clock_stands(account: Account) -> None:
    incident_id = an_incident(account)
    moments = [account.annotate(incident_id, "A note")[0].occurred_at for _ in range(5)]
    assert moments == sorted(set(moments))


def test_the_same_seed_makes_the_same_account_and_the_same_bytes(clock: ManualClock) -> None:
    def told() -> Any:
        account = online_shop(now=clock.now, seed=3)
        incident_id = an_incident(account)
        return [event.body for event in account.annotate(incident_id, "A note")]

    assert told() == told()
