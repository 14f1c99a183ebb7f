"""The service with an issue that has a context."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from tests.support.builders import an_event, body_of, headers_for, new_id
from tests.support.doors import make_webhook, save_pending
from tests.support.parts import Parts
from tests.support.sample_context import store_context
from tests.support.system import System, running_system


@dataclass(frozen=True, slots=True)
class Told:
    """The service, and an issue in it."""

    service: System
    ref: IncidentRef
    keyring: Keyring

    @property
    def path(self) -> str:
        return f"/api/issues/{self.ref.issue_id}/context"

    def store(self, **changes: Any) -> int:
        return self.service.database.write_blocking(lambda t: store_context(t, self.ref, **changes))


async def an_issue(service: System, keyring: Keyring, connection_id: str, incident_id: str) -> IncidentRef:
    """Have an incident become an issue of this connection."""
    webhook = make_webhook(
        service.database, keyring, scope="organization:acme", connection_id=connection_id, name=new_id()
    )
    body = body_of(an_event("incident.triggered", incident_id))
    await service.http.post(f"/webhooks/pagerduty/{webhook}", content=body, headers=headers_for(body))
    save_pending(service.database)
    return IncidentRef(connection_id=connection_id, incident_id=incident_id)


@contextlib.asynccontextmanager
async def told_of_an_issue(parts: Parts) -> AsyncIterator[Told]:
    async with running_system(parts, working=False) as service:
        ref = await an_issue(service, parts.keyring, service.connection_id, new_id())
        yield Told(service, ref, parts.keyring)


@pytest.fixture
async def told(parts: Parts) -> AsyncIterator[Told]:
    async with told_of_an_issue(parts) as found:
        yield found
