"""The account that an on-call page is about: the connection that is chosen, and its newest snapshot.

Without a snapshot, `templates/account.html` shows how far the running analysis is, or offers to start one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.coverage.analysis import account_zone
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.oncall.model import RunState
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.snapshots.service import SnapshotNotFound, SnapshotUnreadable
from ingress.api.endpoints import NoInput
from ingress.api.errors import ResourceNotFound
from ingress.dashboard.page import Ask, Content
from ingress.dashboard.tables import Table
from ingress.oncall.models import OnCallRunModel


@dataclass(frozen=True)
class Account:
    """A connection's account as a page shows it. `snapshot` is None if there is none that can be read."""

    ask: Ask
    connections: Sequence[Any]
    connection: str | None
    snapshot: AccountSnapshot | None
    #: Why there is no snapshot, in words.
    problem: str = ""
    #: The run that reads or analyses the account now. It is looked for only as long as there is no snapshot.
    running: OnCallRunModel | None = None

    @cached_property
    def index(self) -> OnCallIndex:
        """The snapshot's objects. Raises ResourceNotFound if there is no snapshot."""
        if self.snapshot is None:
            raise ResourceNotFound(self.problem or "there is no snapshot yet: start an analysis")
        return OnCallIndex(self.snapshot)

    @property
    def request(self) -> Request:
        """The request as the endpoints of a connection expect it, with the connection as `id`."""
        return self.request_with()

    def request_with(self, **parameters: str) -> Request:
        """Return the request with further parameters of an endpoint's path."""
        scope = self.ask.request.scope
        path = {**scope["path_params"], "id": self.connection or "", **parameters}
        return Request({**scope, "path_params": path}, self.ask.request.receive)

    @property
    def taken_at(self) -> datetime:
        """When the snapshot was taken, UTC. Raises ResourceNotFound."""
        return datetime.fromtimestamp(self.index.snapshot.taken_at, UTC)

    @property
    def query_text(self) -> str:
        """What links to other pages of the account end with; nothing where there is but one account."""
        return f"?connection={self.connection}" if len(self.connections) > 1 else ""

    @property
    def now(self) -> int:
        """Epoch seconds (UTC)."""
        return int(self.ask.now.timestamp())

    def zone(self, name: str | None = None) -> ZoneInfo:
        """Return the zone of this name, else the reader's own, else the account's."""
        person = self.index.users.get(self.ask.caller.person or "")
        own = time_zone(person.time_zone) if person else None
        return time_zone(name) or own or account_zone(self.index.snapshot)

    def options(self) -> dict[str, list[tuple[str, str]]]:
        """Return the people, schedules and policies that a form offers, as (id, name), by name."""
        snapshot = self.index.snapshot
        named = {
            "person": [(user.id, user.name) for user in snapshot.users],
            "schedule": [(schedule.id, schedule.name) for schedule in snapshot.schedules],
            "policy": [(policy.id, policy.name) for policy in snapshot.policies],
        }
        return {kind: sorted(pairs, key=lambda pair: pair[1].casefold()) for kind, pairs in named.items()}

    def name(self, user_id: str) -> str:
        """Return a person's name, or the id if the snapshot doesn't have the person."""
        user = self.index.users.get(user_id)
        return user_id if user is None else user.name

    def content(
        self,
        values: Mapping[str, Any] | None = None,
        tables: Mapping[str, Table[Any]] | None = None,
        title: str | None = None,
    ) -> Content:
        return Content({"account": self, **(values or {})}, tables or {}, title)


async def find_account(ask: Ask, connection: str | None = None) -> Account:
    """Return the account of the connection that the address names; the only one by itself.

    Raises:
        ResourceNotFound: The caller sees no such connection.
    """
    listed = (await ask.ingress.connections.list(ask.request, ask.caller, NoInput())).connections
    chosen = connection or ask.request.query_params.get("connection") or None
    if chosen is not None and all(item.id != chosen for item in listed):
        raise ResourceNotFound(f"there is no connection {chosen[:60]!r}, or your API key may not see it")
    if chosen is None and listed:
        chosen = listed[0].id
    if chosen is None:
        return Account(ask, listed, None, None)
    try:
        snapshot = await ask.ingress.services.snapshot_reader.get(ask.caller.visibility, chosen)
    except SnapshotNotFound:
        return await _with_running(Account(ask, listed, chosen, None))
    except SnapshotUnreadable as error:
        return await _with_running(Account(ask, listed, chosen, None, str(error)))
    return Account(ask, listed, chosen, snapshot)


async def _with_running(account: Account) -> Account:
    ask = account.ask
    if not ask.may(FINDINGS_READ):
        return account
    runs = (await ask.ingress.oncall.runs(account.request, ask.caller, NoInput())).runs
    return replace(account, running=find_running(runs))


def find_running(runs: Sequence[OnCallRunModel]) -> OnCallRunModel | None:
    """Return the newest run that has not ended."""
    return next((run for run in runs if run.state in {RunState.READING, RunState.ANALYSING}), None)
