"""What the door remembers of a webhook is never older than it says."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from ingress.webhook_receiver import webhook_directory
from ingress.webhook_receiver.webhook_directory import TTL_SECONDS, WebhookDirectory
from tests.support.doors import make_webhook
from tests.support.patience import EVENTUALLY


async def test_what_was_read_before_a_change_is_not_remembered_for_longer_because_it_came_late(
    database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation waits until every process knows the new secret: from then on an old answer is wrong."""
    now, asked, go_on = [0.0], threading.Event(), threading.Event()
    monkeypatch.setattr(webhook_directory, "time", SimpleNamespace(monotonic=lambda: now[0]))
    webhook_id = make_webhook(database, keyring)
    directory = WebhookDirectory(_late(database, asked, go_on), keyring)

    finding = asyncio.create_task(directory.get(webhook_id))
    await asyncio.to_thread(asked.wait, EVENTUALLY)
    _pause(database, webhook_id)
    directory.invalidate(webhook_id)
    now[0] = 0.9 * TTL_SECONDS
    go_on.set()
    late = await finding
    assert late is not None and not late.paused

    now[0] = TTL_SECONDS
    found = await directory.get(webhook_id)
    assert found is not None and found.paused


def _late(database: Database, asked: threading.Event, go_on: threading.Event) -> Database:
    """A database whose answers are on their way for a while."""

    async def read(work: Callable[[sa.Connection], object]) -> object:
        answer = database.read_blocking(work)
        asked.set()
        await asyncio.to_thread(go_on.wait, EVENTUALLY)
        return answer

    return SimpleNamespace(read=read)  # type: ignore[return-value]  # it only reads


def _pause(database: Database, webhook_id: str) -> None:
    row = tables.webhooks.c.id == webhook_id
    change = sa.update(tables.webhooks).where(row).values(paused_at=datetime.now(UTC))
    database.write_blocking(lambda t: t.execute(change))
