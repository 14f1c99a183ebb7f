"""The whole service beside a simulated PagerDuty."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.system import System, running_system


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, past=Past(seed=1), webhooks=True) as found:
        yield found
