"""Doors to knock at: the application over ASGI."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.support.doors import Doorway, open_doorway
from tests.support.parts import Parts


@pytest.fixture
async def doorway(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    """An ingress without Temporal."""
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


@pytest.fixture
async def door_to_temporal(parts: Parts, task_queue: str) -> AsyncIterator[Doorway]:
    """An ingress that will find the real Temporal server once its forwarder runs."""
    async with open_doorway(parts.database, parts.keyring, parts.data_dir, task_queue=task_queue) as found:
        yield found
