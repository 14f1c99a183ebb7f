"""The delivery log as readers see it: filters, pages, effects, and whose it is."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import (
    queries as delivery_queries,
    refusal_store as refusals,
    store as deliveries,
)
from calmo_pagerduty.deliveries.model import DeliveryState, SignatureVerdict, Verdict
from calmo_pagerduty.deliveries.queries import DeliveryFilter, LoggedDelivery
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from tests.support.builders import NOON, a_note, an_event, body_of, minutes, new_id
from tests.support.doors import make_webhook, save_pending
from tests.support.kept_deliveries import keep

pytestmark = pytest.mark.each_database

SHOP, BANK = "organization:shop", "organization:bank"
ALL = DeliveryFilter()


def sees(*scopes: str) -> Visibility:
    return Visibility(tuple(Scope.parse(scope) for scope in scopes))


def listed(
    database: Database, wanted: DeliveryFilter = ALL, visibility: Visibility = EVERYTHING, **page: Any
) -> tuple[LoggedDelivery, ...]:
    page = {"limit": 100, **page}
    return database.read_blocking(
        lambda t: delivery_queries.list_deliveries(t, visibility, wanted, **page), visibility
    )


def seqs(found: tuple[LoggedDelivery, ...]) -> list[int]:
    return [delivery.seq for delivery in found]


@pytest.fixture
def webhook(database: Database, keyring: Keyring) -> str:
    return make_webhook(database, keyring, scope=SHOP)


def test_each_filter_narrows_and_its_values_are_alternatives(database: Database, webhook: str) -> None:
    incident = new_id()
    first = keep(database, webhook, an_event("incident.triggered", incident), remarks="stale,best_effort")
    second = keep(
        database,
        webhook,
        a_note(incident),
        at=NOON + minutes(1),
        state=DeliveryState.PAUSED,
        verdict=Verdict.PAUSED,
    )
    third = keep(
        database,
        webhook,
        body=b"{",
        at=NOON + minutes(2),
        state=DeliveryState.DEAD_LETTER,
        verdict=Verdict.DEAD_LETTER,
    )
    cases = [
        (ALL, [third, second, first]),
        (DeliveryFilter(webhooks=(webhook,)), [third, second, first]),
        (DeliveryFilter(webhooks=(webhook_handle(webhook),)), [third, second, first]),
        (DeliveryFilter(webhooks=("wh_other", "wh_%%%%%%", "wh_aaaaaa", "%")), []),
        (DeliveryFilter(verdicts=(Verdict.PAUSED,)), [second]),
        (DeliveryFilter(verdicts=(Verdict.PAUSED, Verdict.DEAD_LETTER)), [third, second]),
        (DeliveryFilter(states=(DeliveryState.PENDING,)), [first]),
        (DeliveryFilter(event_types=("incident.annotated",)), [second]),
        (DeliveryFilter(incidents=(incident,)), [second, first]),
        (DeliveryFilter(incidents=(incident,), states=(DeliveryState.PAUSED,)), [second]),
        (DeliveryFilter(remarks=("stale",)), [first]),
        (DeliveryFilter(remarks=("best_effort", "ping")), [first]),
        (DeliveryFilter(remarks=("best",)), []),
        (DeliveryFilter(since=NOON + minutes(1)), [third, second]),
        (DeliveryFilter(until=NOON + minutes(1)), [first]),
        (DeliveryFilter(seqs=(first, third)), [third, first]),
    ]
    for wanted, expected in cases:
        assert seqs(listed(database, wanted)) == expected, wanted


def test_pages_hold_each_delivery_once_newest_first(database: Database, webhook: str) -> None:
    made = [keep(database, webhook) for _ in range(7)]
    walked: list[int] = []
    while page := seqs(listed(database, limit=3, before=walked[-1] if walked else None)):
        walked += page
    assert walked == made[::-1]


def test_a_delivery_tells_what_it_did_to_which_issue_and_how_long_it_took(
    database: Database, webhook: str
) -> None:
    incident = new_id()
    trigger = keep(database, webhook, an_event("incident.triggered", incident))
    note = keep(database, webhook, a_note(incident))
    waiting = keep(database, webhook, state=DeliveryState.PAUSED, verdict=Verdict.PAUSED)
    save_pending(database)
    database.write_blocking(lambda t: deliveries.mark_applied(t, [trigger, note], NOON + minutes(0.02)))
    found = {delivery.seq: delivery for delivery in listed(database)}
    created, updated = found[trigger].effect, found[note].effect
    assert created is not None
    assert updated is not None
    assert created.issue_id.startswith("iss_")
    assert (created.action, created.moved) == ("create", True)
    assert (updated.action, updated.moved) == ("update", False)
    assert updated.issue_id == created.issue_id
    assert found[trigger].latency_ms == 1200.0
    assert (found[waiting].effect, found[waiting].latency_ms) == (None, None)


def test_a_delivery_that_is_confirmed_again_keeps_its_first_time(database: Database, webhook: str) -> None:
    seq = keep(database, webhook)
    again = sa.update(tables.deliveries).where(tables.deliveries.c.seq == seq)
    for moment in (NOON + minutes(1), NOON + minutes(2)):
        save_pending(database)
        database.write_blocking(lambda t: deliveries.mark_applied(t, [seq], moment))
        database.write_blocking(lambda t: t.execute(again.values(state=DeliveryState.PENDING)))
    assert listed(database)[0].applied_at == NOON + minutes(1)


def test_a_delivery_is_its_webhooks_owners(database: Database, keyring: Keyring, webhook: str) -> None:
    mine = keep(database, webhook)
    theirs = keep(database, make_webhook(database, keyring, scope=BANK))
    assert seqs(listed(database)) == [theirs, mine]
    assert seqs(listed(database, visibility=sees(SHOP))) == [mine]
    assert seqs(listed(database, visibility=sees(SHOP, BANK))) == [theirs, mine]
    assert seqs(listed(database, visibility=sees())) == []
    for seq, seen in ((mine, True), (theirs, False)):
        found = database.read_blocking(lambda t: delivery_queries.get_delivery(t, sees(SHOP), seq))
        assert (found is not None) is seen


def test_a_body_is_read_as_it_came_until_it_is_deleted(database: Database, webhook: str) -> None:
    payload = an_event("incident.triggered", new_id())
    keep(database, webhook, payload)
    [delivery] = listed(database)
    assert database.read_blocking(lambda t: delivery_queries.get_body(t, delivery)) == body_of(payload)
    gone = replace(delivery, seq=delivery.seq + 1)
    assert database.read_blocking(lambda t: delivery_queries.get_body(t, gone)) is None


def test_refusals_have_a_trail_of_their_own(database: Database, keyring: Keyring, webhook: str) -> None:
    other = make_webhook(database, keyring, scope=BANK)
    for minute, hook, verdict in (
        (0, webhook, Verdict.MISMATCH),
        (1, webhook, Verdict.GUARDED),
        (2, other, Verdict.MISMATCH),
    ):
        at = NOON + minutes(minute)
        database.write_blocking(
            lambda t: refusals.insert_refusal(t, hook, at, verdict, SignatureVerdict.MISMATCH, 7, "00")
        )

    def found(wanted: DeliveryFilter = ALL, visibility: Visibility = EVERYTHING, **page: Any) -> list[Any]:
        page = {"limit": 10, **page}
        return [
            (refusal.webhook_id, refusal.verdict)
            for refusal in database.read_blocking(
                lambda t: delivery_queries.list_refusals(t, visibility, wanted, **page)
            )
        ]

    everything = [(other, "mismatch"), (webhook, "guarded"), (webhook, "mismatch")]
    assert found() == everything
    assert found(limit=1) == everything[:1]
    assert found(visibility=sees(SHOP)) == everything[1:]
    assert found(DeliveryFilter(verdicts=(Verdict.MISMATCH,), webhooks=(webhook,))) == everything[2:]
    assert found(DeliveryFilter(since=NOON + minutes(1), until=NOON + minutes(2))) == everything[1:2]
