"""The whole service, with hands to act on issues."""

from collections.abc import AsyncIterator

import pytest

from tests.support.parts import Parts
from tests.support.system import System, running_system


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, webhooks=True) as found:
        yield found
