"""What the door keeps in memory is bounded: only what was used longest ago is dropped."""

from datetime import UTC, datetime

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.webhooks import store as webhooks
from ingress.webhook_receiver import rate_limits, webhook_directory
from ingress.webhook_receiver.rate_limits import TokenBuckets
from ingress.webhook_receiver.webhook_directory import WebhookDirectory
from tests.support.builders import SECRET


def test_a_bucket_gives_its_burst_at_once_and_no_more() -> None:
    buckets = TokenBuckets(rate=1e-9, burst=3)
    assert [buckets.try_acquire("wh_1") for _ in range(5)] == [True, True, True, False, False]
    assert buckets.try_acquire("wh_2"), "each key has a bucket of its own"


def test_a_newcomer_refills_nobodys_bucket_but_that_of_who_was_away_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rate_limits, "MAX_BUCKETS", 2)
    buckets = TokenBuckets(rate=1e-9, burst=1)
    assert buckets.try_acquire("wh_1") and buckets.try_acquire("wh_2")
    assert not buckets.try_acquire("wh_1")
    assert buckets.try_acquire("wh_3"), "takes the place of wh_2"
    assert not buckets.try_acquire("wh_1")
    assert buckets.try_acquire("wh_2")


async def test_a_webhook_is_read_once_while_it_is_fresh(
    database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, found = datetime.now(UTC), webhooks.get_webhook
    ids = [
        database.write_blocking(
            lambda t: webhooks.insert_webhook(t, keyring, Scope.parse("organization:acme"), SECRET, now)
        )
        for _ in range(3)
    ]
    read: list[str] = []

    def counted(transaction: Transaction, keyring: Keyring, webhook_id: str, at: datetime) -> object:
        read.append(webhook_id)
        return found(transaction, keyring, webhook_id, at)

    monkeypatch.setattr(webhooks, "get_webhook", counted)
    monkeypatch.setattr(webhook_directory, "TTL_SECONDS", 3600.0)
    monkeypatch.setattr(webhook_directory, "MAX_ENTRIES", 2)
    directory = WebhookDirectory(database, keyring)
    for webhook_id in (ids[0], ids[0], ids[1], ids[2], ids[1], ids[0]):
        assert await directory.get(webhook_id) is not None
    assert read == [ids[0], ids[1], ids[2], ids[0]]
    directory.invalidate(ids[1])
    assert await directory.get(ids[1]) is not None
    assert await directory.get(f"wh_{'a' * 32}") is None
    assert await directory.get(f"wh_{'a' * 32}") is None
    assert read[4:] == [ids[1], f"wh_{'a' * 32}", f"wh_{'a' * 32}"]
