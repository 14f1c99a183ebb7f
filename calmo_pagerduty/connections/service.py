"""Makes PagerDuty clients for connections: with their tokens and permits, on one shared HTTP pool."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache
from pydantic import SecretStr

from calmo_pagerduty.connections import rate_limit_store, store as connections
from calmo_pagerduty.connections.rate_limit_store import Permit
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.connections.throttle import Pace, PacedPermits
from calmo_pagerduty.db.batcher import Batcher
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.http_client import AsyncClient
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.account import BASE_URLS, Account
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import InvalidRequest, RateLimited
from calmo_pagerduty.pagerduty.rate_limits import Permits, RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
#: PagerDuty's figures are stored at most this often: only people read them.
USAGE_SAVE_INTERVAL = timedelta(seconds=2)
#: The number of connections whose tokens and pauses a process caches.
MAX_CONNECTIONS = 10_000


@dataclass(slots=True)
class RateLimitState:
    """A process's view of a connection's limits, which may be ahead of the database."""

    turns: Batcher[float, Permit]
    #: The time until which PagerDuty refuses requests.
    paused_until: datetime = LONG_AGO
    #: When PagerDuty's figures were last stored.
    usage_at: datetime = LONG_AGO


class PagerDutyClients:
    """Makes clients. `simulator_url` is for connections of the region `simulator`."""

    def __init__(
        self, database: Database, keyring: Keyring, http: AsyncClient, simulator_url: str | None = None
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._http = http
        self._simulator_url = simulator_url
        #: Caches: the database has both, and evicted entries are read again.
        self._tokens: LRUCache[str, tuple[int, SecretStr]] = LRUCache(MAX_CONNECTIONS)
        self._limits: LRUCache[tuple[str, int], RateLimitState] = LRUCache(MAX_CONNECTIONS)

    async def client(
        self, connection: Connection, timeout: timedelta, pace: Pace | None = None
    ) -> PagerDutyClient:
        """Return a client that waits up to `timeout` for each request's permit, at `pace` if given.

        Raises InvalidRequest if the connection has no token, CannotDecrypt, StoreUnavailable.
        """
        token = await self._token(connection)
        if token is None or connection.token_kind is None:
            raise InvalidRequest(
                "this connection has no PagerDuty token",
                advice=f"give it one: calmo-pagerduty connection rotate {connection.id}",
            )
        account = Account(
            base_url=self._base_url(connection.region),
            token=token,
            token_kind=connection.token_kind,
            from_address=connection.from_address,
            connection_id=connection.id,
        )
        permits: Permits = self._permits(connection, timeout)
        if pace is not None:
            permits = PacedPermits(self._database, connection.id, pace, permits)
        return PagerDutyClient(account, self._http, permits)

    def trial_client(self, region: Region, kind: TokenKind, token: SecretStr) -> PagerDutyClient:
        """Return a client for a token that no connection has yet, to test it. It has no share of a limit.

        Raises InvalidRequest if the token can't be sent, or if this instance has no simulator.
        """
        try:
            account = Account(base_url=self._base_url(region), token=token, token_kind=kind)
        except ValueError as error:
            raise InvalidRequest(str(error), advice="copy it again from PagerDuty") from None
        return PagerDutyClient(account, self._http)

    def _permits(self, connection: Connection, timeout: timedelta) -> "SharedPermits":
        """Return the connection's permits. Claims at the same moment share one database write."""
        per_minute = connection.requests_per_minute or rate_limit_store.DEFAULT_PER_MINUTE
        limits = self._limits.get((connection.id, per_minute))
        if limits is None:

            async def claim(timeouts: Sequence[float]) -> Sequence[Permit]:
                return await self._database.write(
                    lambda transaction: rate_limit_store.claim_permits(
                        transaction, connection.id, per_minute, timeouts, datetime.now(UTC)
                    ),
                    durable=False,
                )

            limits = self._limits[connection.id, per_minute] = RateLimitState(Batcher(claim))
        return SharedPermits(self._database, connection.id, timeout, limits)

    def _base_url(self, region: Region) -> str:
        """Return the region's base URL. Raises InvalidRequest if this instance has no simulator."""
        if region is not Region.SIMULATOR:
            return BASE_URLS[region]
        if self._simulator_url is None:
            raise InvalidRequest("this instance has no simulator", advice="set CALMO_SIMULATOR_URL")
        return self._simulator_url

    async def _token(self, connection: Connection) -> SecretStr | None:
        cached = self._tokens.get(connection.id)
        if cached is not None and cached[0] == connection.token_version:
            return cached[1]
        version, token = await self._database.read(
            lambda transaction: self._decrypt_token(transaction, connection)
        )
        if token is not None:
            self._tokens[connection.id] = (version, token)
        return token

    def _decrypt_token(self, tx: Transaction, connection: Connection) -> tuple[int, SecretStr | None]:
        """Return (version, token), of the new token if it was rotated since the connection was read."""
        token = connections.get_token(tx, self._keyring, connection)
        if token is not None:
            return connection.token_version, token
        current = connections.get_connection(tx, EVERYTHING, connection.id)
        if current is None:
            return 0, None
        return current.token_version, connections.get_token(tx, self._keyring, current)


class SharedPermits:
    """Permits within a connection's share of PagerDuty's rate limit, shared by all processes."""

    def __init__(
        self, database: Database, connection_id: str, timeout: timedelta, limits: RateLimitState
    ) -> None:
        self._database = database
        self._connection_id = connection_id
        self._timeout = timeout.total_seconds()
        self._limits = limits

    async def acquire(self, request: ApiRequest) -> None:
        """Wait for a permit. Raises RateLimited, StoreUnavailable."""
        if request.daily_quota:
            await self._check_daily_quota()
        await self._wait_for_turn(self._timeout)

    async def _wait_for_turn(self, timeout: float) -> None:
        """Wait until the request is due, and again if a pause begins meanwhile. `timeout` is in seconds."""
        permit = await self._limits.turns.add(timeout)
        if permit.wait > timeout:
            raise _rate_limited(timedelta(seconds=permit.wait))
        if permit.wait > 0:
            await asyncio.sleep(permit.wait)
        if not permit.granted or await self._is_paused(permit.wait > 0):
            await self._wait_for_turn(timeout - permit.wait)

    async def _is_paused(self, waited: bool) -> bool:
        """Tell whether a pause holds, which this process or, while we waited, another process recorded."""
        now = datetime.now(UTC)
        if waited and now >= self._limits.paused_until:
            pause = await self._database.read(
                lambda transaction: rate_limit_store.get_pause(transaction, self._connection_id, now)
            )
            # A 429 may have come while we read the database: the longer pause wins.
            self._limits.paused_until = max(self._limits.paused_until, now + pause)
        return datetime.now(UTC) < self._limits.paused_until

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        """Store PagerDuty's limits. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        if limited is not None and not limited.daily:
            until = now + limited.retry_after
            self._limits.paused_until = max(self._limits.paused_until, until)
            await self._database.write(
                lambda transaction: rate_limit_store.mark_paused(transaction, self._connection_id, until)
            )
        if now - self._limits.usage_at < USAGE_SAVE_INTERVAL and headers.daily_limit is None:
            return
        self._limits.usage_at = now
        figures = _usage_columns(headers, now)
        if figures:
            await self._database.write(
                lambda transaction: rate_limit_store.update_usage(
                    transaction, self._connection_id, **figures
                ),
                durable=False,
            )

    async def _check_daily_quota(self) -> None:
        usage = await self._database.read(
            lambda transaction: rate_limit_store.get_usage(transaction, self._connection_id)
        )
        left = (usage.daily_reset_at - datetime.now(UTC)) if usage.daily_reset_at else timedelta()
        if usage.daily_remaining == 0 and left > timedelta():
            raise RateLimited(
                "the PagerDuty account's analytics quota of the day is used up",
                retry_after=left,
                daily=True,
                advice="incidents and log entries can still be read",
            )


def _rate_limited(after: timedelta) -> RateLimited:
    return RateLimited(
        "this connection's share of PagerDuty's rate limit is used up",
        retry_after=after,
        advice="it continues automatically",
    )


def _usage_columns(headers: RateHeaders, now: datetime) -> Mapping[str, object]:
    figures: dict[str, object] = {}
    if headers.limit is not None:
        figures |= {
            "minute_limit": headers.limit,
            "minute_remaining": headers.remaining,
            "minute_seen_at": now,
        }
    if headers.daily_limit is not None:
        reset = now + headers.daily_reset if headers.daily_reset is not None else None
        figures |= {
            "daily_limit": headers.daily_limit,
            "daily_remaining": headers.daily_remaining,
            "daily_reset_at": reset,
        }
    return figures
