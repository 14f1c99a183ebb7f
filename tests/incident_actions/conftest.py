"""The whole service, with hands to act on issues."""

from collections.abc import AsyncIterator

import pytest

from tests.support.acting_service import Acting, acting_service
from tests.support.parts import Parts


@pytest.fixture
async def acting(parts: Parts) -> AsyncIterator[Acting]:
    async with acting_service(parts) as found:
        yield found
