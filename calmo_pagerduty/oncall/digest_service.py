"""Make weekly digests from what is stored, keep them, and read them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING, Visibility
from calmo_pagerduty.oncall import digest_queries as queries, digest_store as store
from calmo_pagerduty.oncall.digest import Digest, DigestPart, digest_for, instant_seconds, make_digest

#: A digest tells of the time since the one before, at most of this time.
MAX_PERIOD = timedelta(days=14)
DEFAULT_PERIOD = timedelta(days=7)


class DigestToMake(FrozenModel):
    """The order of a digest that ends at `until` (UTC)."""

    connection_id: str
    until: datetime


class DigestSummary(FrozenModel):
    """What a digest tells, in counts: no text leaves the database. `lines` is by part."""

    connection_id: str
    is_new: bool = False
    is_silent: bool = True
    is_stale: bool = False
    lines: Mapping[str, int] = {}
    open_count: int = 0


class DigestService:
    """Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, order: DigestToMake) -> DigestSummary | None:
        """Make and keep the digest, once; None if there is no such connection."""
        made_at = datetime.now(UTC)

        def write(tx: Transaction) -> DigestSummary | None:
            digest = _digest(tx, EVERYTHING, order.connection_id, order.until)
            if digest is None:
                return None
            return _summary(digest, store.insert_digest(tx, digest, made_at))

        return await self._database.write(write)

    async def get(
        self, principal: Principal, connection_id: str, until: datetime | None = None
    ) -> Digest | None:
        """Return the newest digest kept (at `until`, if given) as the principal may see it; None if none."""
        visibility = principal.visibility
        digest = await self._database.read(
            lambda tx: queries.get_digest(tx, visibility, connection_id, until), visibility
        )
        return None if digest is None else digest_for(digest, principal.persons)

    async def preview(self, principal: Principal, connection_id: str, until: datetime) -> Digest | None:
        """Return the digest that would be made now, without keeping it; None if there is no connection."""
        visibility = principal.visibility
        digest = await self._database.read(
            lambda tx: _digest(tx, visibility, connection_id, until), visibility
        )
        return None if digest is None else digest_for(digest, principal.persons)


def _digest(tx: Transaction, visibility: Visibility, connection_id: str, until: datetime) -> Digest | None:
    last = store.get_last_end(tx, connection_id, until)
    since = until - DEFAULT_PERIOD if last is None else max(last, until - MAX_PERIOD)
    inputs = queries.get_digest_inputs(tx, visibility, connection_id, since, until)
    if inputs is None:
        return None
    return make_digest(inputs, instant_seconds(since), instant_seconds(until))


def _summary(digest: Digest, is_new: bool) -> DigestSummary:
    counts = {part.value: len(digest.part(part)) for part in DigestPart}
    return DigestSummary(
        connection_id=digest.connection_id,
        is_new=is_new,
        is_silent=digest.is_silent,
        is_stale=digest.is_stale,
        lines={part: count for part, count in counts.items() if count},
        open_count=digest.open_count,
    )
