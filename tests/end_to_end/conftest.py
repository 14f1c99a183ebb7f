"""One running service for the tests of a file that only use it."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.support.up_process import UpProcess, an_up

WEBHOOK_SECRET = b"secret-from-pagerduty"


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpProcess]:
    """An `up --no-demo`; its tests make incidents of their own."""
    folder = tmp_path_factory.mktemp("service")
    async with an_up(folder / "data", folder) as up:
        await up.start("--no-demo")
        await up.until_ready()
        yield up


@pytest.fixture(scope="module")
async def webhook_secret() -> bytes:
    return WEBHOOK_SECRET


@pytest.fixture(scope="module")
async def webhook_url(service: UpProcess, webhook_secret: bytes) -> str:
    """The URL of a webhook, made as an operator would."""
    made = await service.calmo(
        "webhook",
        "create",
        "--scope",
        "organization:acme",
        "--secret-stdin",
        "--json",
        "--data-dir",
        str(service.folder),
        stdin=webhook_secret + b"\n",
    )
    assert made.status == 0, made
    return str(json.loads(made.output)["url"])
