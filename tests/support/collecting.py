"""A simulated PagerDuty, and the service that takes snapshots of it, without Temporal."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bootstrap.services import Services
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.snapshots.collecting_service import SnapshotCollector, SnapshotToTake, TakenSnapshot
from calmo_pagerduty.snapshots.model import AccountSnapshot
from pagerduty_simulator.account import Account
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest_api import running_rest_api
from tests.support.connected import TOKEN, add_connection
from tests.support.doors import ACME

#: Tests that aren't about the limits don't wait for them.
UNPACED = 1_000_000


@dataclass
class Collecting:
    """What a test holds in its hands. `site` is PagerDuty's side."""

    site: AccountSite
    services: Services
    connection_id: str

    @property
    def account(self) -> Account:
        return self.site.account

    @property
    def collector(self) -> SnapshotCollector:
        return self.services.snapshot_collector

    async def take(self, is_fresh: bool = False) -> TakenSnapshot:
        """Take a snapshot to its end."""
        order = SnapshotToTake(connection_id=self.connection_id, is_fresh=is_fresh)
        progress = await self.collector.begin(order)
        while not progress.is_read:
            progress = await self.collector.step(progress.snapshot_id)
        return await self.collector.finish(progress.snapshot_id)

    async def snapshot(self, is_fresh: bool = False) -> AccountSnapshot:
        """Take a snapshot and load it."""
        taken = await self.take(is_fresh)
        return await self.services.snapshot_reader.get_by_id(EVERYTHING, taken.snapshot_id)

    def requests(self) -> Counter[str]:
        """Return how often each operation was requested so far."""
        return Counter(request.operation or request.path for request in self.site.requests)


@contextlib.asynccontextmanager
async def collecting_from(
    account: Account, database: Database, keyring: Keyring, data_dir: Path
) -> AsyncIterator[Collecting]:
    """A connection to this account, and what takes its snapshots."""
    site = AccountSite(account)
    site.add_token(TOKEN)
    site.limits.per_window = UNPACED
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(running_rest_api(site))
        connection_id = add_connection(database, keyring, ACME, requests_per_minute=UNPACED)
        services = Services(Settings(data_dir=data_dir, simulator_url=url), database, keyring)
        stack.push_async_callback(services.aclose)
        yield Collecting(site, services, connection_id)
