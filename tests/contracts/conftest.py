"""The contracts of today, from the running parts; `--record-contracts` keeps them as the new baseline."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.contracts.documents import Contracts, documents_of_today
from tests.support.doors import open_doorway


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-contracts", action="store_true", help="keep today's documents as the baseline")


@pytest.fixture
async def today(database: Database, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Contracts]:
    async with open_doorway(database, keyring, tmp_path) as doorway:
        yield await documents_of_today(doorway)
