"""The whole service with contexts, beside a simulated PagerDuty."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from context.context_service import Contexts, context_service
from temporalio.client import Client

from calmo_pagerduty.store.database import Database
from calmo_pagerduty.store.encryption import Keyring
from calmo_pagerduty.temporal_dev_server import TemporalDevServer


@pytest.fixture
async def contexts(
    temporal: Client, temporal_server: TemporalDevServer, sqlite_database: Database, keyring: Keyring,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Contexts]:  # fmt: skip
    # The forwarder connects by itself.
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    async with context_service(temporal, sqlite_database, keyring, tmp_path) as found:
        yield found


@pytest.fixture
async def contexts_on_either(
    temporal: Client, temporal_server: TemporalDevServer, database: Database, keyring: Keyring,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Contexts]:  # fmt: skip
    """Once on SQLite, once on PostgreSQL."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    async with context_service(temporal, database, keyring, tmp_path) as found:
        yield found
