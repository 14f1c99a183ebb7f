"""The service with its tools."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.system import System, running_system


@pytest.fixture
async def service(parts: Parts) -> AsyncIterator[System]:
    """A service with one connection that may write, and a worker."""
    async with running_system(parts) as found:
        yield found
