"""The whole service with contexts, beside a simulated PagerDuty."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gathering import gathering_system
from tests.support.parts import Parts
from tests.support.system import System


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with gathering_system(parts) as found:
        yield found
