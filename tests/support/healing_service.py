"""Names of before, for tests that are on their way. New tests take tests/support/system.py."""

import contextlib
from collections.abc import AsyncIterator

from tests.support.parts import Parts
from tests.support.pasts import Past, hours_ago
from tests.support.system import System as Healed, running_system

__all__ = ["Healed", "healing_service", "hours_ago"]


@contextlib.asynccontextmanager
async def healing_service(parts: Parts, working: bool = True) -> AsyncIterator[Healed]:
    async with running_system(parts, past=Past(seed=1), webhooks=True, working=working) as found:
        yield found
