"""Two people act at once: PagerDuty does one of the two, and the timeline tells whose it was."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.incidents import (
    action_result_store as action_results,
    action_store as operations,
    store as issues,
)
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ACTIONS, Operation, OperationState, tool_arguments
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.webhooks import store as webhooks
from tests.support.builders import NOON, SECRET, an_event, new_id
from tests.support.call_records import ACME, a_call, get
from tests.support.doors import rows
from tests.support.kept_deliveries import keep

pytestmark = pytest.mark.each_database

US = Reference(id="PUSER1", type="user_reference", name="Robin Reyes", url=None)


def seconds(count: float) -> datetime:
    return NOON + timedelta(seconds=count)


@dataclass
class Scene:
    """One issue, whose incident was triggered a minute ago."""

    database: Database
    webhook_id: str
    ref: IncidentRef

    def happens(self, event_type: str, at: datetime) -> None:
        """PagerDuty's webhook comes."""
        seq = keep(self.database, self.webhook_id, an_event(event_type, self.ref.incident_id, at=at))
        row = next(row for row in rows(self.database, tables.deliveries) if row.seq == seq)
        facts = EventFacts.model_validate_json(f'{{"seq":{seq},{row.facts[1:]}')
        self.database.write_blocking(
            lambda t: issues.insert_events(t, self.ref, [facts], Severity.CRITICAL, at)
        )

    def asks(
        self,
        author: str,
        at: datetime,
        agent: Reference | None = US,
        action: Action = Action.ACKNOWLEDGE,
        **given: Any,
    ) -> str:
        """Somebody acts on it, and PagerDuty is about to be asked."""
        arguments = tool_arguments(action, self.ref.incident_id, given)
        call = a_call(self.ref.connection_id, author, tool="update_incident", arguments=arguments)
        operation = Operation(
            id=call.id,
            issue_id=self.ref.issue_id,
            action=action,
            author=author,
            state=OperationState.OPEN,
            expected=ACTIONS[action].expects(arguments, ""),
            filed_at=at,
        )

        def write(transaction: Any) -> None:
            tool_calls.insert_call(transaction, call)
            operations.insert_operation(transaction, operation)
            tool_calls.mark_attempt_started(transaction, call.id, at)
            operations.mark_sent(transaction, call.id, at)
            operations.update_agent(transaction, call.id, agent)

        self.database.write_blocking(write)
        return call.id

    def ends(self, call_id: str, at: datetime, state: CallState = CallState.DONE, **said: Any) -> None:
        """PagerDuty's answer is heard, or the call is given up."""
        shown = {"status": "acknowledged", "updated_at": seconds(0).isoformat()}

        def write(transaction: Any) -> None:
            tool_calls.mark_call_finished(
                transaction, call_id, state, at, {**shown, **said} if said else shown
            )
            call = tool_calls.get_call(transaction, call_id)
            assert call is not None
            action_results.update_from_call(transaction, call, at)

        self.database.write_blocking(write)

    def told(self) -> list[str]:
        """What the timeline shows, oldest first."""
        shown = [row for row in rows(self.database, tables.timeline) if not row.is_echo]
        return [row.summary for row in sorted(shown, key=lambda row: (row.occurred_at, row.seq))][1:]

    def outcome(self, call_id: str) -> tuple[str, int]:
        found = self.database.read_blocking(lambda t: operations.get_operation(t, call_id))
        assert found is not None
        return found.state, len(found.echoes)


@pytest.fixture
def scene(database: Database, keyring: Keyring) -> Scene:
    webhook_id = database.write_blocking(lambda t: webhooks.insert_webhook(t, keyring, ACME, SECRET, NOON))
    found = database.read_blocking(lambda t: webhooks.get_webhook(t, keyring, webhook_id, NOON))
    assert found is not None
    made = Scene(database, webhook_id, IncidentRef(connection_id=found.connection_id, incident_id=new_id()))
    made.happens(EventType.TRIGGERED, seconds(-60))
    return made


def test_an_echo_goes_to_the_one_that_is_known_to_be_done(scene: Scene) -> None:
    """The event is nearer to the other's asking."""
    alice, bob = scene.asks("Alice", seconds(0)), scene.asks("Bob", seconds(0.5))
    scene.ends(alice, seconds(0.8))
    scene.happens(EventType.ACKNOWLEDGED, seconds(0.6))
    scene.ends(bob, seconds(1), unchanged=True)
    assert scene.told() == ["acknowledged by Alice via Calmo"]
    assert (scene.outcome(alice), scene.outcome(bob)) == (("done", 1), ("unchanged", 0))


@pytest.mark.parametrize("alice_first", [True, False])
def test_an_echo_that_went_to_the_wrong_one_goes_to_the_right_one_in_the_end(
    scene: Scene, alice_first: bool
) -> None:
    """The event comes before either answer is heard, and is nearer to the asking that changed nothing."""
    alice, bob = scene.asks("Alice", seconds(0)), scene.asks("Bob", seconds(0.5))
    scene.happens(EventType.ACKNOWLEDGED, seconds(0.6))
    assert scene.told() == ["acknowledged by Bob via Calmo"]
    if alice_first:
        scene.ends(alice, seconds(1))
        scene.ends(bob, seconds(2), unchanged=True)
    else:
        scene.ends(bob, seconds(1), unchanged=True)
        assert scene.told() == ["acknowledged by Alice via Calmo"]
        scene.ends(alice, seconds(2))
    assert scene.told() == ["acknowledged by Alice via Calmo"]
    assert (scene.outcome(alice), scene.outcome(bob)) == (("done", 1), ("unchanged", 0))
    entries = [row for row in rows(scene.database, tables.timeline) if row.event_id.startswith("op:")]
    assert [row.event_id for row in entries] == [f"op:{alice}"]


def test_an_event_that_was_nobodys_after_all_is_told_as_pagerdutys(scene: Scene) -> None:
    """Our user did it by hand in PagerDuty, while we asked in vain."""
    bob = scene.asks("Bob", seconds(0))
    scene.happens(EventType.ACKNOWLEDGED, seconds(0.6))
    changes = len(rows(scene.database, tables.issue_changes))
    scene.ends(bob, seconds(1), unchanged=True)
    assert scene.told() == ["acknowledged by Robin Reyes"]
    assert scene.outcome(bob) == ("unchanged", 0)
    assert len(rows(scene.database, tables.issue_changes)) == changes + 1


def test_an_event_does_not_prove_what_pagerduty_refused(scene: Scene) -> None:
    bob = scene.asks("Bob", seconds(0))
    scene.happens(EventType.ACKNOWLEDGED, seconds(0.6))
    scene.ends(bob, seconds(1), CallState.FAILED)
    assert scene.told() == ["acknowledged by Robin Reyes"]
    assert scene.outcome(bob) == ("not_done", 0)


def test_what_an_attempt_that_was_turned_away_had_claimed_goes_to_the_one_who_did_it(scene: Scene) -> None:
    """Bob's event came while Alice waited for her turn at PagerDuty's limit, and was nearer to her asking."""
    bob, alice = scene.asks("Bob", seconds(0)), scene.asks("Alice", seconds(0.5))
    scene.happens(EventType.ACKNOWLEDGED, seconds(0.6))
    scene.ends(bob, seconds(1))
    call = get(scene.database, alice)
    scene.database.write_blocking(lambda t: action_results.mark_call_not_sent(t, call, seconds(2)))
    assert scene.told() == ["acknowledged by Bob via Calmo"]
    assert (scene.outcome(alice), scene.outcome(bob)) == (("open", 0), ("done", 1))


def test_the_answer_tells_who_we_are_also_after_an_attempt_that_was_turned_away(scene: Scene) -> None:
    bob = scene.asks("Bob", seconds(0), agent=None)
    call = get(scene.database, bob)
    scene.database.write_blocking(lambda t: action_results.mark_call_not_sent(t, call, seconds(1)))
    scene.database.write_blocking(lambda t: operations.mark_sent(t, bob, seconds(2)))
    scene.happens(EventType.ACKNOWLEDGED, seconds(2.5))
    scene.ends(bob, seconds(3), last_status_change_by={"id": US.id, "type": "user_reference"})
    assert scene.told() == ["acknowledged by Bob via Calmo"]


def test_what_an_action_had_claimed_without_an_entry_is_told_when_it_is_refused(scene: Scene) -> None:
    """The policy would have made the entry; our user escalated by hand meanwhile."""
    moved: dict[str, Any] = {"escalation_policy_id": "PE1", "escalation_level": 2}
    bob = scene.asks("Bob", seconds(0), action=Action.ESCALATE, **moved)
    scene.happens(EventType.ESCALATED, seconds(0.6))
    assert scene.outcome(bob) == ("open", 1)
    scene.ends(bob, seconds(1), CallState.FAILED)
    assert [words.split(":")[0] for words in scene.told()] == ["escalated by Robin Reyes"]


def test_an_event_proves_what_nobody_knows_also_if_it_came_before_our_user_was_known(scene: Scene) -> None:
    bob = scene.asks("Bob", seconds(0), agent=None)
    scene.happens(EventType.ACKNOWLEDGED, seconds(0.6))
    assert scene.told() == ["acknowledged by Robin Reyes"]
    scene.database.write_blocking(lambda t: operations.update_agent(t, bob, US))
    scene.ends(bob, seconds(1), CallState.UNKNOWN)
    assert scene.told() == ["acknowledged by Bob via Calmo"]
    assert scene.outcome(bob) == ("done", 1)
