"""Examine a connection's webhooks at PagerDuty and here, and switch on again what may be."""

from datetime import UTC, datetime, timedelta

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyAccounts
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import Pace
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.instants import instant_of, iso_utc
from calmo_pagerduty.kernel.json_values import objects_of
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import PagerDutyError, TryAgain
from calmo_pagerduty.pagerduty.requests import ApiRequest, Listing, Method, Paging
from calmo_pagerduty.pagerduty.retries import retry_wait
from calmo_pagerduty.webhooks import examination_store as examinations
from calmo_pagerduty.webhooks.findings import clean_words, examine, unowned
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK, enable, may_enable
from calmo_pagerduty.webhooks.subscriptions import OurWebhook, Seen, of_webhook, read_subscription

PATIENCE = timedelta(seconds=30)
#: More subscriptions than an account can have.
MAX_SUBSCRIPTIONS = 2000
LOOK_BACK = timedelta(hours=24)
_SUBSCRIPTIONS = ApiRequest(method=Method.GET, path="/webhook_subscriptions")


class ConnectionToExamine(FrozenModel):
    connection_id: str


class Examined(FrozenModel):
    """What follows from an examination: figures and ids, no addresses."""

    webhooks: int = 0
    findings: int = 0
    #: PagerDuty's ids of the subscriptions that it has switched off.
    disabled: tuple[str, ...] = ()
    #: Since when that is known.
    disabled_since: datetime | None = None
    newly_disabled: bool = False
    may_enable: bool = False


class SubscriptionsToEnable(FrozenModel):
    connection_id: str
    subscription_ids: tuple[str, ...]


class DoctorService:
    """Examines and mends a connection's webhooks. `public_address` is how PagerDuty reaches us."""

    def __init__(self, database: Database, accounts: PagerDutyAccounts, public_address: str) -> None:
        self._database = database
        self._accounts = accounts
        self._public_address = public_address
        self._paces: dict[str, Pace] = {}

    async def examine(self, order: ConnectionToExamine) -> Examined:
        """Look, and keep what was found. Raises PagerDutyError, ConnectionRemoved, StoreUnavailable."""
        connection = await self._connection(order.connection_id)
        seen = await self._look(connection)
        return await self._database.write(lambda t: self._examine(t, connection, seen))

    async def enable(self, order: SubscriptionsToEnable, attempt: int) -> bool:
        """Switch them on again if the rules still allow it, and audit that. Returns whether it was done.

        `attempt` counts from 1. Raises PagerDutyError for what is to be tried again, ConnectionRemoved,
        StoreUnavailable.
        """
        connection = await self._connection(order.connection_id)
        if not may_enable(connection.rules, connection.facts):
            return False
        try:
            client = await self._accounts.client(connection, PATIENCE, self._pace(connection))
            await client.run(enable(order.subscription_ids))
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            await self._audit(connection, order, type(error).__name__)
            return False
        await self._audit(connection, order, "done")
        return True

    async def _look(self, connection: Connection) -> Seen:
        now = datetime.now(UTC)
        if connection.token_kind is None:
            return Seen(now=now, why_not="the connection has no PagerDuty token")
        allowed = may_enable(connection.rules, connection.facts)
        try:
            client = await self._accounts.client(connection, PATIENCE, self._pace(connection))
            listed = await client.collect(
                Listing(
                    request=_SUBSCRIPTIONS, items="webhook_subscriptions", paging=Paging.CLASSIC,
                    at_most=MAX_SUBSCRIPTIONS,
                )
            )  # fmt: skip
            last = await _last_incident(client, now)
        except TryAgain:
            raise
        except PagerDutyError as error:
            return Seen(now=now, why_not=(type(error).__doc__ or "").strip())
        found = tuple(
            subscription for subscription in map(read_subscription, listed.items) if subscription is not None
        )
        return Seen(now=now, subscriptions=found, last_incident_at=last, may_enable=allowed)

    def _examine(self, tx: Transaction, connection: Connection, seen: Seen) -> Examined:
        ours = examinations.our_webhooks(tx, connection.id, self._public_address, seen.now)
        gone = unowned(
            self._public_address, [our_webhook.id for our_webhook in ours], seen.subscriptions or ()
        )
        count = 0
        newly = False
        since: datetime | None = None
        disabled: list[str] = []
        for place, webhook in enumerate(ours):
            off = [
                subscription.id
                for subscription in of_webhook(webhook, seen.subscriptions or ())
                if subscription.disabled
            ]
            newly = newly or (bool(off) and webhook.disabled_at is None)
            at = _disabled_at(webhook, off, seen)
            disabled += off
            since = min(filter(None, (since, at)), default=None)
            # What belongs to no webhook is told with the first one.
            findings = (*examine(webhook, ours, seen), *(gone if place == 0 else ()))
            cleaned = [clean_words(finding, webhook.id) for finding in findings]
            examinations.keep(tx, webhook.id, cleaned, at, seen.now)
            count += len(findings)
        return Examined(
            webhooks=len(ours),
            findings=count,
            disabled=tuple(disabled),
            disabled_since=since,
            newly_disabled=newly,
            may_enable=seen.may_enable,
        )

    def _pace(self, connection: Connection) -> Pace:
        return self._paces.setdefault(connection.id, Pace())

    async def _connection(self, connection_id: str) -> Connection:
        found = await self._database.read(lambda t: connections.find(t, EVERYTHING, connection_id))
        if found is None:
            raise ConnectionRemoved("the connection was removed")
        return found

    async def _audit(self, connection: Connection, order: SubscriptionsToEnable, outcome: str) -> None:
        now = datetime.now(UTC)
        record = {
            "connection_id": connection.id,
            "requester": "the doctor",
            "outcome": f"subscriptions enabled: {outcome}",
            "rule": f"the connection {ENABLE_WEBHOOK}",
            "subscription_ids": list(order.subscription_ids),
        }

        def write(tx: Transaction) -> None:
            audit.append(tx, str(connection.scope), now, record)
            if outcome == "done":
                ours = examinations.our_webhooks(tx, connection.id, self._public_address, now)
                examinations.note_enabled(tx, [webhook.id for webhook in ours if webhook.disabled_at])

        await self._database.write(write)


def _disabled_at(webhook: OurWebhook, off: list[str], seen: Seen) -> datetime | None:
    """Keep since when it is known; who can't look leaves it as it is."""
    if seen.subscriptions is None:
        return webhook.disabled_at
    return (webhook.disabled_at or seen.now) if off else None


async def _last_incident(client: PagerDutyClient, now: datetime) -> datetime | None:
    """Return when something last happened in an incident of the account."""
    since = iso_utc(now - LOOK_BACK)
    query = (("since", since), ("is_overview", "true"), ("limit", "1"))
    answer = await client.send(ApiRequest(method=Method.GET, path="/log_entries", query=query))
    newest = next(iter(objects_of(answer.get("log_entries"))), {})
    return instant_of(newest.get("created_at"))
