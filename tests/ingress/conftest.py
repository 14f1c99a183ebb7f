"""Doors to knock at: the application over ASGI."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from doors import Doorway, open_doorway

from calmo_pagerduty.store.database import Database
from calmo_pagerduty.store.encryption import Keyring


@pytest.fixture
async def doorway(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    """An ingress without Temporal, once on SQLite and once on PostgreSQL."""
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


@pytest.fixture
async def sqlite_doorway(
    sqlite_database: Database, keyring: Keyring, tmp_path: Path
) -> AsyncIterator[Doorway]:
    """An ingress without Temporal, where the kind of database makes no difference."""
    async with open_doorway(sqlite_database, keyring, tmp_path) as found:
        yield found
