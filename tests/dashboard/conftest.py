"""A served dashboard with issues, and a browser to look at it."""

import contextlib
import os
import shutil
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import NEED_BROWSER, find_browser, running_browser
from tests.support.dashboard import DashboardSite
from tests.support.doors import open_doorway
from tests.support.patience import ANSWER


@pytest.fixture(scope="module")
async def site(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DashboardSite]:
    """A dashboard of its own for each file of tests, without Temporal."""
    folder = tmp_path_factory.mktemp("dashboard")
    file = shutil.copy(migrated_file, folder / "calmo.db")
    keyring = Keyring({"test": bytes(range(32))})
    with contextlib.closing(Database(f"sqlite:///{file}")) as database:
        async with (
            open_doorway(database, keyring, folder) as doorway,
            running_server(build_app(doorway.ingress), "127.0.0.1", 0) as address,
            httpx.AsyncClient(base_url=address, trust_env=False, timeout=ANSWER) as client,
        ):
            yield DashboardSite(doorway, address, client)
            doorway.ingress.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's Chromium."""
    path = find_browser()
    if path is None:
        message = "NO BROWSER: the tests of pages in a browser do not run; install chromium"
        if os.environ.get(NEED_BROWSER):
            raise RuntimeError(message)
        warnings.warn(message, UserWarning, stacklevel=1)
        pytest.skip(message)
    async with running_browser(path) as found:
        yield found
