"""The whole service with contexts, beside a simulated PagerDuty."""

from collections.abc import AsyncIterator

import pytest

from tests.support.context_service import Contexts, context_service
from tests.support.parts import Parts


@pytest.fixture
async def contexts(parts: Parts) -> AsyncIterator[Contexts]:
    async with context_service(parts) as found:
        yield found
