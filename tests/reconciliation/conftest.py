"""The whole service beside a simulated PagerDuty."""

from collections.abc import AsyncIterator

import pytest

from tests.support.healing_service import Healed, healing_service
from tests.support.parts import Parts


@pytest.fixture
async def healed(parts: Parts) -> AsyncIterator[Healed]:
    async with healing_service(parts) as found:
        yield found
