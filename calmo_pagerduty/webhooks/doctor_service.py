"""Examines a connection's webhooks, here and at PagerDuty, and enables disabled subscriptions."""

from datetime import UTC, datetime, timedelta

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import HEALTH_PACE
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import PagerDutyError, TryAgain
from calmo_pagerduty.pagerduty.requests import ApiRequest, ListRequest, Method, Paging
from calmo_pagerduty.pagerduty.retries import retry_wait
from calmo_pagerduty.webhooks import examination_store as examinations
from calmo_pagerduty.webhooks.findings import examine_webhook, orphan_findings, redact_webhook_id
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK, enable, may_enable
from calmo_pagerduty.webhooks.subscriptions import (
    LocalWebhook,
    SubscriptionSnapshot,
    parse_subscription,
    subscriptions_of_webhook,
)

PERMIT_TIMEOUT = timedelta(seconds=30)
#: Maximum number of subscriptions to read; no account has so many.
MAX_SUBSCRIPTIONS = 2000
INCIDENT_LOOKBACK = timedelta(hours=24)
_SUBSCRIPTIONS = ApiRequest(method=Method.GET, path="/webhook_subscriptions")


class ConnectionToExamine(FrozenModel):
    """The connection whose webhooks the doctor examines."""

    connection_id: str


class ExaminationSummary(FrozenModel):
    """The result of an examination: figures and ids, no addresses."""

    webhooks: int = 0
    findings: int = 0
    #: PagerDuty's ids of the subscriptions that it has switched off.
    disabled: tuple[str, ...] = ()
    #: When the doctor first saw that, in UTC.
    disabled_since: datetime | None = None
    newly_disabled: bool = False
    may_enable: bool = False


class SubscriptionsToEnable(FrozenModel):
    """The subscriptions that PagerDuty has switched off, to be switched on again."""

    connection_id: str
    subscription_ids: tuple[str, ...]


class DoctorService:
    """Examines and mends a connection's webhooks. `public_address` is our base URL for PagerDuty."""

    def __init__(self, database: Database, accounts: PagerDutyClients, public_address: str) -> None:
        self._database = database
        self._accounts = accounts
        self._public_address = public_address

    async def examine(self, order: ConnectionToExamine) -> ExaminationSummary:
        """Examine the webhooks and store the findings.

        Raises PagerDutyError, ConnectionRemoved, StoreUnavailable.
        """
        connection = await self._connection(order.connection_id)
        snapshot = await self._read_snapshot(connection)
        return await self._database.write(lambda t: self._examine(t, connection, snapshot))

    async def enable(self, order: SubscriptionsToEnable, attempt: int) -> bool:
        """Enable the subscriptions if the rules still allow it, and audit that. Returns True if it did.

        `attempt` counts from 1. Raises PagerDutyError if a retry may help, ConnectionRemoved,
        StoreUnavailable.
        """
        connection = await self._connection(order.connection_id)
        if not may_enable(connection.rules, connection.facts):
            return False
        try:
            client = await self._accounts.client(connection, PERMIT_TIMEOUT, HEALTH_PACE)
            await client.run(enable(order.subscription_ids))
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            await self._audit(connection, order, type(error).__name__)
            return False
        await self._audit(connection, order, "done")
        return True

    async def _read_snapshot(self, connection: Connection) -> SubscriptionSnapshot:
        now = datetime.now(UTC)
        if connection.token_kind is None:
            return SubscriptionSnapshot(now=now, unreadable_reason="the connection has no PagerDuty token")
        allowed = may_enable(connection.rules, connection.facts)
        try:
            client = await self._accounts.client(connection, PERMIT_TIMEOUT, HEALTH_PACE)
            listed = await client.collect(
                ListRequest(
                    request=_SUBSCRIPTIONS,
                    items="webhook_subscriptions",
                    paging=Paging.CLASSIC,
                    at_most=MAX_SUBSCRIPTIONS,
                )
            )
            last = await _last_incident(client, now)
        except TryAgain:
            raise
        except PagerDutyError as error:
            return SubscriptionSnapshot(now=now, unreadable_reason=(type(error).__doc__ or "").strip())
        subscriptions = tuple(
            subscription for subscription in map(parse_subscription, listed.items) if subscription is not None
        )
        return SubscriptionSnapshot(
            now=now, subscriptions=subscriptions, last_incident_at=last, may_enable=allowed
        )

    def _examine(
        self, tx: Transaction, connection: Connection, snapshot: SubscriptionSnapshot
    ) -> ExaminationSummary:
        ours = examinations.list_local_webhooks(tx, connection.id, self._public_address, snapshot.now)
        orphans = orphan_findings(
            self._public_address, [our_webhook.id for our_webhook in ours], snapshot.subscriptions or ()
        )
        count = 0
        newly = False
        since: datetime | None = None
        disabled: list[str] = []
        for place, webhook in enumerate(ours):
            off = [
                subscription.id
                for subscription in subscriptions_of_webhook(webhook, snapshot.subscriptions or ())
                if subscription.disabled
            ]
            newly = newly or (bool(off) and webhook.disabled_at is None)
            at = _disabled_at(webhook, off, snapshot)
            disabled += off
            since = min(filter(None, (since, at)), default=None)
            # Findings that belong to no webhook are stored with the first webhook.
            findings = (*examine_webhook(webhook, ours, snapshot), *(orphans if place == 0 else ()))
            cleaned = [redact_webhook_id(finding, webhook.id) for finding in findings]
            examinations.update_findings(tx, webhook.id, cleaned, at, snapshot.now)
            count += len(findings)
        return ExaminationSummary(
            webhooks=len(ours),
            findings=count,
            disabled=tuple(disabled),
            disabled_since=since,
            newly_disabled=newly,
            may_enable=snapshot.may_enable,
        )

    async def _connection(self, connection_id: str) -> Connection:
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        return connection

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
            audit.insert_audit_row(tx, str(connection.scope), now, record)
            if outcome == "done":
                ours = examinations.list_local_webhooks(tx, connection.id, self._public_address, now)
                examinations.mark_enabled(tx, [webhook.id for webhook in ours if webhook.disabled_at])

        await self._database.write(write)


def _disabled_at(webhook: LocalWebhook, off: list[str], snapshot: SubscriptionSnapshot) -> datetime | None:
    """Return when the doctor first saw it disabled; unchanged if the subscriptions can't be read."""
    if snapshot.subscriptions is None:
        return webhook.disabled_at
    return (webhook.disabled_at or snapshot.now) if off else None


async def _last_incident(client: PagerDutyClient, now: datetime) -> datetime | None:
    """Return the UTC time of the account's latest log entry within INCIDENT_LOOKBACK; None if none."""
    since = format_iso_utc(now - INCIDENT_LOOKBACK)
    query = (("since", since), ("is_overview", "true"), ("limit", "1"))
    answer = await client.send(ApiRequest(method=Method.GET, path="/log_entries", query=query))
    newest = next(iter(as_objects(answer.get("log_entries"))), {})
    return parse_instant(newest.get("created_at"))
