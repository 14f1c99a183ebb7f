"""A service with a worker, for digests on Temporal."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.system import System, running_system


@pytest.fixture
async def working(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts) as found:
        yield found
