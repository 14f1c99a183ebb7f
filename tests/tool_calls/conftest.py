"""The service with its tools."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.tool_service import ToolService, running_service


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[ToolService]:
    """A service with one connection that may write, and a worker."""
    async with running_service(parts) as found:
        yield found
