"""Make, replace and delete PagerDuty's webhook subscriptions, with a connection's token.

A new subscription is made inactive, and activated only after its secret is stored, so that no delivery
arrives with an unknown signature. A replaced subscription is deactivated, and deleted only after its
secret has expired, because PagerDuty still delivers what is in its queue.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.permissions import CONNECTIONS_ADMIN
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db import leases
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import EVERYTHING, ScopeKind
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.token_kinds import Region
from calmo_pagerduty.webhooks import (
    management_store as webhook_management,
    subscription_plans as subscriptions,
)
from calmo_pagerduty.webhooks.event_filters import EVENTS
from calmo_pagerduty.webhooks.lifecycle import (
    WebhookConflict,
    WebhookTransition,
    apply_transition,
    webhook_url,
)
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.public_address import unreachable_reason
from calmo_pagerduty.webhooks.subscription_plans import DeliveryTarget
from ingress.api.errors import NotPermitted
from ingress.webhook_receiver.webhook_directory import TTL_SECONDS, WebhookDirectory

PERMIT_TIMEOUT = timedelta(seconds=5)
#: After an interrupted change, the next change must wait at most this long.
LEASE_TTL = timedelta(seconds=120)


class Subscriber:
    """Changes subscriptions at PagerDuty. Methods raise PagerDutyError, StoreUnavailable, CannotDecrypt."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        accounts: PagerDutyClients,
        directory: WebhookDirectory,
        public_address: str,
        noticed_after: float = TTL_SECONDS,
    ) -> None:
        """`noticed_after` is the time after which every process knows a new secret, in seconds."""
        self._database = database
        self._directory = directory
        self._noticed_after = noticed_after
        self._keyring = keyring
        self._accounts = accounts
        self._public_address = public_address

    def require_subscribable(self, principal: Principal, connection: Connection) -> None:
        """Raises NotPermitted, WebhookConflict unless the principal may change the subscriptions."""
        if connection.scope.kind is ScopeKind.ORGANIZATION and CONNECTIONS_ADMIN not in principal.permissions:
            raise NotPermitted(
                "only the organization's administrators may change its PagerDuty subscriptions:"
                f" this API key lacks the permission {CONNECTIONS_ADMIN}"
            )
        if connection.token_kind is None:
            raise WebhookConflict(
                f"the connection {connection.id} has no PagerDuty token: give it a token,"
                " or set the webhook up by hand"
            )
        unreachable = unreachable_reason(self._public_address)
        if unreachable is not None and connection.region is not Region.SIMULATOR:
            raise WebhookConflict(unreachable)

    async def subscribe(
        self, webhook: ManagedWebhook, connection: Connection, record: dict[str, object]
    ) -> None:
        """Make subscriptions for a webhook for which we made none yet. Raises WebhookConflict."""
        async with self._locked_webhook(webhook) as current:
            apply_transition(current.flags, WebhookTransition.SUBSCRIBED)
            if current.managed:
                raise WebhookConflict("PagerDuty's subscription already exists: rotate it to get a new one")
            await self._create_subscriptions(current, connection, record, replaces=False)

    async def rotate(
        self, webhook: ManagedWebhook, connection: Connection, record: dict[str, object]
    ) -> None:
        """Replace the subscriptions by new ones with new secrets. Raises WebhookConflict."""
        async with self._locked_webhook(webhook) as current:
            apply_transition(current.flags, WebhookTransition.ROTATED)
            client = await self._create_subscriptions(current, connection, record, replaces=True)
            await client.run(subscriptions.deactivate(current.subscription_ids))

    @contextlib.asynccontextmanager
    async def _locked_webhook(self, webhook: ManagedWebhook) -> AsyncIterator[ManagedWebhook]:
        """Yield the webhook's current state, under a lease for all processes. Raises WebhookConflict."""
        name, holder = f"subscribing:{webhook.handle}", secrets.token_hex(8)
        if not await self._database.write(lambda t: leases.claim_lease(t, name, holder, LEASE_TTL)):
            raise WebhookConflict("another request is changing the webhook's subscription: try again")
        try:
            now = datetime.now(UTC)
            current = await self._database.read(
                lambda t: webhook_management.get_webhook(t, EVERYTHING, webhook.id, now)
            )
            yield current or webhook
        finally:
            await self._database.write(lambda t: leases.delete_lease(t, name, holder))

    async def _create_subscriptions(
        self, webhook: ManagedWebhook, connection: Connection, record: dict[str, object], replaces: bool
    ) -> PagerDutyClient:
        client = await self._accounts.client(connection, PERMIT_TIMEOUT)
        events = [str(event_type) for event_type in EVENTS[webhook.event_set]]
        new = (
            await client.run(
                subscriptions.subscribe(
                    self._delivery_target(webhook), events, webhook.only, webhook.subscription_ids
                )
            )
        )["made"]
        ids = [subscription["id"] for subscription in new]

        def store(transaction: Transaction) -> None:
            now = datetime.now(UTC)
            signing_secrets = [subscription["secret"].encode() for subscription in new]
            webhook_management.update_secrets(
                transaction, self._keyring, webhook.id, signing_secrets, now, keep_others=not replaces
            )
            webhook_management.update_subscriptions(transaction, webhook.id, ids)
            audit.insert_audit_row(transaction, str(webhook.scope), now, {**record, "subscription_ids": ids})

        await self._database.write(store)
        self._directory.invalidate(webhook.id)
        await asyncio.sleep(self._noticed_after)
        await client.run(subscriptions.activate(ids))
        return client

    async def delete_subscriptions(self, webhook: ManagedWebhook) -> None:
        """Delete all subscriptions that we made for the webhook, also if some are gone already."""
        client = await self._client_of(webhook)
        if client is not None:
            await client.run(
                subscriptions.unsubscribe(self._delivery_target(webhook), webhook.subscription_ids)
            )
        await self._database.write(lambda t: webhook_management.update_subscriptions(t, webhook.id, ()))

    async def delete_replaced_subscriptions(self, webhook: ManagedWebhook) -> None:
        """Delete the subscriptions that a rotation has replaced."""
        client = await self._client_of(webhook)
        if client is not None:
            keep = webhook.subscription_ids
            await client.run(subscriptions.unsubscribe(self._delivery_target(webhook), (), keep))

    async def ping(self, webhook: ManagedWebhook) -> None:
        """Ask PagerDuty to send a ping. Raises WebhookConflict if the connection has no token."""
        client = await self._client_of(webhook)
        if client is None or not webhook.subscription_ids:
            raise WebhookConflict("the webhook has no subscription of ours, or its connection has no token")
        await client.run(subscriptions.ping(webhook.subscription_ids[0]))

    async def _client_of(self, webhook: ManagedWebhook) -> PagerDutyClient | None:
        """Return None if the connection was removed or has no token."""
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, webhook.connection_id)
        )
        if connection is None or connection.token_kind is None:
            return None
        return await self._accounts.client(connection, PERMIT_TIMEOUT)

    def _delivery_target(self, webhook: ManagedWebhook) -> DeliveryTarget:
        return DeliveryTarget(webhook.id, webhook_url(self._public_address, webhook.id), webhook.name)
