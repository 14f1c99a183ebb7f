"""The service with its tools."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from tool_service import ToolService, running_service

from calmo_pagerduty.store.database import Database
from calmo_pagerduty.store.encryption import Keyring


@pytest.fixture
async def service(
    temporal: Client, sqlite_database: Database, keyring: Keyring, tmp_path: Path
) -> AsyncIterator[ToolService]:
    """A service with one connection that may write, and a worker."""
    async with running_service(temporal, sqlite_database, keyring, tmp_path) as found:
        yield found


@pytest.fixture
async def service_on_either(
    temporal: Client, database: Database, keyring: Keyring, tmp_path: Path
) -> AsyncIterator[ToolService]:
    """Once on SQLite, once on PostgreSQL."""
    async with running_service(temporal, database, keyring, tmp_path) as found:
        yield found
