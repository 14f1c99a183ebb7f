"""What is fuzzed: the door without Temporal, and the service with its tools."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.support.doors import Doorway, open_doorway
from tests.support.parts import Parts
from tests.support.system import System, running_system


@pytest.fixture
async def door(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Doorway]:
    async with open_doorway(database, keyring, tmp_path) as found:
        yield found


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts) as found:
        yield found
