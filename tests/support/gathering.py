"""Systems that gather incidents' contexts, beside a simulated PagerDuty that has something to tell."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.sources import Source, SourceState
from pagerduty_simulator.account import Account
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from tests.support.parts import Parts
from tests.support.system import System, running_system, start_workers

#: Tests that aren't about the limits don't wait for them.
UNPACED = 1_000_000


def states(context: IncidentContext) -> dict[Source, SourceState]:
    return {report.source: report.state for report in context.sources}


def reasons(context: IncidentContext) -> dict[Source, str]:
    return {report.source: report.reason for report in context.sources}


def a_shop(incidents: int = 60, days: float = 60) -> Account:
    """A furnished shop with a past."""
    account = furnished_shop(now=lambda: datetime.now(UTC), seed=11)
    if incidents:
        generate_history(account, incidents=incidents, days=days, seed=5)
    return account


def set_pace(system: System, per_minute: int | None) -> None:
    """Let the connection take so many requests a minute; None is what it takes by itself."""
    system.site.limits.per_window = UNPACED if per_minute == UNPACED else 960
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, requests_per_minute=per_minute)
    )


@contextlib.asynccontextmanager
async def gathering_system(parts: Parts, account: Account | None = None) -> AsyncIterator[System]:
    async with running_system(parts, account=account or a_shop(), working=False, gathering=True) as system:
        set_pace(system, UNPACED)
        await start_workers(system)
        yield system
