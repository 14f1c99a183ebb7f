"""The life of a webhook: one table, total; which events it is for; where it can be reached."""

from itertools import product

import pytest

from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.webhooks.event_filters import EVENTS, EventFilter, EventSet, InvalidFilter
from calmo_pagerduty.webhooks.lifecycle import (
    TRANSITIONS,
    WebhookConflict,
    WebhookFlags,
    WebhookState,
    WebhookTransition,
    apply_transition,
    masked_url,
    redact_webhook_ids,
    state_of,
    webhook_handle,
    webhook_url,
)
from calmo_pagerduty.webhooks.public_address import unreachable_reason
from calmo_pagerduty.webhooks.setup_steps import setup_steps
from calmo_pagerduty.webhooks.validation import OUTCOME_TEXT, ValidationOutcome

EVERY_WAY = [WebhookFlags(*values) for values in product((False, True), repeat=5)]
ID = "wh_" + "a" * 26 + "bcdefg"
NEW, SET, ARMED = WebhookFlags(), WebhookFlags(secret=True), WebhookFlags(secret=True, armed=True)


def test_whatever_the_facts_a_webhook_stands_somewhere_and_every_state_is_reached() -> None:
    assert {state_of(facts) for facts in EVERY_WAY} == set(WebhookState)


def test_every_happening_is_in_the_table_and_is_either_possible_or_refused_in_words() -> None:
    assert set(TRANSITIONS) == set(WebhookTransition)
    for facts, what in product(EVERY_WAY, WebhookTransition):
        needed, changes = TRANSITIONS[what]
        if all(getattr(facts, name) is value for name, value in needed.items()):
            after = apply_transition(facts, what)
            assert all(getattr(after, name) is value for name, value in changes.items())
            assert what is WebhookTransition.DELETED or apply_transition(after, what) == after, (
                "it may happen again"
            )
        else:
            with pytest.raises(WebhookConflict, match=r"\w: \w"):
                apply_transition(facts, what)


def test_a_webhook_lives_from_waiting_to_deleted() -> None:
    facts, seen = NEW, [state_of(NEW)]
    for name in ("SECRET_SET", "VERIFIED", "PAUSED", "SEEN_DISABLED", "DELETED"):
        what = WebhookTransition[name]
        facts = apply_transition(facts, what)
        seen.append(state_of(facts))
    assert seen == list(WebhookState)


@pytest.mark.parametrize("facts", [NEW, SET, ARMED])
def test_what_is_resumed_or_switched_on_again_stands_where_it_stood(facts: WebhookFlags) -> None:
    paused = apply_transition(facts, WebhookTransition.PAUSED)
    assert state_of(paused) is WebhookState.PAUSED
    assert apply_transition(paused, WebhookTransition.RESUMED) == facts
    assert (
        apply_transition(
            apply_transition(facts, WebhookTransition.SEEN_DISABLED), WebhookTransition.SEEN_ENABLED
        )
        == facts
    )


def test_nothing_leads_out_of_deleted() -> None:
    for facts, what in product((webhook for webhook in EVERY_WAY if webhook.deleted), WebhookTransition):
        with pytest.raises(WebhookConflict, match="deleted"):
            apply_transition(facts, what)


@pytest.mark.parametrize(
    "what", [WebhookTransition.ROTATED, WebhookTransition.TESTED, WebhookTransition.VERIFIED]
)
def test_without_a_secret_there_is_nothing_to_rotate_to_test_or_to_verify(what: WebhookTransition) -> None:
    with pytest.raises(WebhookConflict, match="secret"):
        apply_transition(NEW, what)


def test_a_paused_webhook_is_not_tested() -> None:
    with pytest.raises(WebhookConflict, match="paused"):
        apply_transition(WebhookFlags(secret=True, paused=True), WebhookTransition.TESTED)


def test_each_event_set_holds_the_one_before_it() -> None:
    essential, extended, advanced = (set(EVENTS[event_set]) for event_set in EventSet)
    assert essential == {EventType.TRIGGERED, EventType.ACKNOWLEDGED, EventType.RESOLVED}
    assert extended - essential == {
        EventType.ESCALATED,
        EventType.RESPONDER_ADDED,
        EventType.PRIORITY_UPDATED,
    }
    assert essential < extended < advanced
    assert advanced == {event_type for event_type in EventType if event_type.startswith("incident.")}
    assert all(len(set(events)) == len(events) for events in EVENTS.values())


def test_a_filter_is_the_account_some_services_or_some_teams() -> None:
    assert EventFilter().filter_keys() == (("account", None),)
    assert EventFilter(service_ids=("P1", "P2", "P1")).filter_keys() == (("service", "P1"), ("service", "P2"))
    assert EventFilter(team_ids=("P1",)).validated().filter_keys() == (("team", "P1"),)
    with pytest.raises(InvalidFilter, match="not both"):
        EventFilter(("P1",), ("P2",)).validated()
    with pytest.raises(InvalidFilter, match="at most"):
        EventFilter(tuple(f"P{number}" for number in range(11))).validated()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("http://calmo.example.com", "https"),
        ("https://127.0.0.1", "reach"),
        ("https://10.1.2.3:8443", "reach"),
        ("https://[::1]", "reach"),
        ("https://100.64.0.1", "reach"),
        ("https://localhost", "reach"),
        ("https://calmo", "reach"),
        ("https://calmo.internal", "reach"),
        ("ftp://calmo.example.com", "https"),
        ("https://calmo.example.com:99999", "address"),
        ("nonsense", "https"),
    ],
)
def test_an_address_that_pagerduty_can_not_deliver_to_is_told_of(address: str, word: str) -> None:
    assert word in (unreachable_reason(address) or "")


def test_nothing_speaks_against_a_public_https_address() -> None:
    assert unreachable_reason("https://calmo.example.com") is None
    assert unreachable_reason("https://8.8.8.8:8443") is None


def test_a_webhook_is_called_by_the_end_of_its_id() -> None:
    assert webhook_handle(ID) == "wh_bcdefg"
    assert ID[3:20] not in masked_url("https://calmo.example.com", ID)
    url = webhook_url("https://calmo.example.com", ID)
    assert url == f"https://calmo.example.com/webhooks/pagerduty/{ID}"
    assert (
        redact_webhook_ids(f"no route to {url}!")
        == "no route to https://calmo.example.com/webhooks/pagerduty/wh_bcdefg!"
    )


def test_the_steps_name_the_address_the_events_and_where_the_secret_goes() -> None:
    url = webhook_url("https://calmo.example.com", ID)
    steps = "\n".join(setup_steps(url, "wh_bcdefg", EventSet.ESSENTIAL, EventFilter(), False))
    for word in (url, "incident.triggered", "incident.resolved", "set-secret wh_bcdefg", "wizard wh_bcdefg"):
        assert word in steps
    assert "incident.escalated" not in steps


def test_several_services_are_several_subscriptions_at_one_address() -> None:
    only = EventFilter(service_ids=("PONE", "PTWO"))
    steps = "\n".join(setup_steps("https://c.example", "wh_bcdefg", EventSet.ADVANCED, only, False))
    assert "PONE" in steps and "PTWO" in steps and "--add" in steps


def test_every_finding_has_words() -> None:
    assert set(OUTCOME_TEXT) == set(ValidationOutcome)
