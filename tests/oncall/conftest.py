"""A service with a worker, for digests on Temporal."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.tool_service import ToolService, running_service


@pytest.fixture
async def working(parts: Parts) -> AsyncIterator[ToolService]:
    async with running_service(parts) as found:
        yield found
