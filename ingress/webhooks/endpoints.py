"""REST endpoints that make, list, show, change, subscribe, rotate and delete webhooks."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access.permissions import CONNECTIONS_ADMIN, WEBHOOKS_READ, WEBHOOKS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.webhooks import management_store as webhook_management
from calmo_pagerduty.webhooks.lifecycle import (
    WebhookConflict,
    WebhookTransition,
    apply_transition,
    redact_webhook_ids,
)
from calmo_pagerduty.webhooks.management_store import ManagedWebhook, NewWebhook
from calmo_pagerduty.webhooks.signing_secrets import parse_secret
from ingress.api.endpoints import Endpoint, EndpointRow, Handler, Input, Json, NoInput
from ingress.api.errors import NotPermitted
from ingress.api.finding import require_connection
from ingress.api.models import NoBody
from ingress.webhook_receiver.webhook_directory import WebhookDirectory
from ingress.webhooks.lookup import (
    CONFLICT,
    NOT_FOUND,
    PAGERDUTY_REFUSES,
    audit_record,
    get_webhook,
    insert_audit,
    read_webhook,
)
from ingress.webhooks.models import SecretBody, WebhookBody, WebhookListModel, WebhookModel, webhook_model
from ingress.webhooks.subscriber import Subscriber


class WebhookEndpoints:
    """Endpoints that manage webhooks. Every change is audited. Errors: `ingress.webhooks.errors`."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        directory: WebhookDirectory,
        subscriber: Subscriber,
        public_address: str,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._directory = directory
        self._subscriber = subscriber
        self._public_address = public_address

    def endpoints(self) -> "list[EndpointRow]":
        path = "/api/webhooks/{id}"
        return [
            Endpoint(
                "GET",
                "/api/webhooks",
                "List webhooks",
                Json(WebhookListModel),
                permission=WEBHOOKS_READ,
                takes=NoInput,
                handler=self.list,
            ),
            Endpoint(
                "POST",
                "/api/webhooks",
                "Make a webhook; its address is shown only now",
                Json(WebhookModel, status=201),
                permission=WEBHOOKS_WRITE,
                takes=WebhookBody,
                handler=self.create,
                statuses=((404, "there is no such connection"), CONFLICT),
            ),
            Endpoint(
                "GET",
                path,
                "Show a webhook, and the steps that are left to set it up",
                Json(WebhookModel),
                permission=WEBHOOKS_READ,
                takes=NoInput,
                handler=self.show,
                statuses=(NOT_FOUND, CONFLICT),
            ),
            Endpoint(
                "DELETE",
                path,
                "Delete a webhook, and PagerDuty's subscription if we made it",
                Json(WebhookModel),
                permission=WEBHOOKS_WRITE,
                takes=NoInput,
                handler=self.delete,
                statuses=(NOT_FOUND, CONFLICT),
            ),
            self._change(
                "PUT", f"{path}/secret", "Set the webhook's signing secret", SecretBody, self.set_secret
            ),
            self._change(
                "POST",
                f"{path}/pause",
                "Pause a webhook: store its deliveries without forwarding them",
                NoBody,
                self.pause,
            ),
            self._change("POST", f"{path}/resume", "Resume a paused webhook", NoBody, self.resume),
            self._change(
                "POST",
                f"{path}/subscription",
                "Make PagerDuty's subscription for a webhook",
                NoBody,
                self.subscribe,
            ),
            self._change(
                "POST", f"{path}/rotate", "Rotate the webhook's signing secret", NoBody, self.rotate
            ),
        ]

    def _change(
        self, method: str, path: str, summary: str, takes: type[Input], handler: Handler[Input, WebhookModel]
    ) -> EndpointRow:
        return Endpoint(
            method,
            path,
            summary,
            Json(WebhookModel),
            permission=WEBHOOKS_WRITE,
            takes=takes,
            handler=handler,
            statuses=(NOT_FOUND, CONFLICT, PAGERDUTY_REFUSES),
        )

    async def list(self, _request: Request, principal: Principal, _nothing: NoInput) -> WebhookListModel:
        """GET /api/webhooks"""
        now = datetime.now(UTC)
        webhooks = await self._database.read(
            lambda t: webhook_management.list_webhooks(t, principal.visibility, now), principal.visibility
        )
        return WebhookListModel(
            webhooks=[webhook_model(webhook, self._public_address) for webhook in webhooks]
        )

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> WebhookModel:
        """GET /api/webhooks/{id}"""
        webhook = await read_webhook(self._database, request, principal)
        return webhook_model(webhook, self._public_address, with_steps=True)

    async def create(self, _request: Request, principal: Principal, body: WebhookBody) -> WebhookModel:
        """POST /api/webhooks. If PagerDuty refuses the subscription, the answer has a warning."""
        scope = Scope.parse(body.scope)
        if not principal.visibility.admits(scope):
            raise NotPermitted(f"this API key doesn't see the scope {scope}")
        pasted = parse_secret(body.secret.get_secret_value().encode()) if body.secret is not None else None
        connection = await self._connection(principal, body.connection, scope)
        if body.subscribe:
            if connection is None or pasted is not None:
                raise WebhookConflict(
                    "to subscribe, give a connection with a token, and no secret: PagerDuty makes it"
                )
            self._subscriber.require_subscribable(principal, connection)
        new = NewWebhook(scope, body.name, body.connection, body.event_set, body.only())

        def write(transaction: Transaction) -> ManagedWebhook:
            secret = pasted.secret if pasted else None
            webhook_id = webhook_management.insert_webhook(
                transaction, self._keyring, new, secret, datetime.now(UTC)
            )
            webhook = get_webhook(transaction, principal, webhook_id)
            insert_audit(transaction, principal, webhook, "created")
            return webhook

        webhook = await self._database.write(write, seen_by=principal.visibility)
        warnings: tuple[str, ...] = ()
        if body.subscribe and connection is not None:
            warnings = await self._try_subscribe(principal, webhook, connection)
            webhook = await self._reload(principal, webhook)
        notes = pasted.notes if pasted else ()
        return webhook_model(webhook, self._public_address, True, True, notes, warnings)

    async def _connection(
        self, principal: Principal, connection_id: str | None, scope: Scope
    ) -> Connection | None:
        """Raises ResourceNotFound, WebhookConflict."""
        if connection_id is None:
            return None
        connection = await self._database.read(
            lambda t: require_connection(t, principal.visibility, connection_id), principal.visibility
        )
        if connection.scope != scope:
            raise WebhookConflict(f"the connection has the scope {connection.scope}, not {scope}")
        return connection

    async def _try_subscribe(
        self, principal: Principal, webhook: ManagedWebhook, connection: Connection
    ) -> tuple[str, ...]:
        """Make the subscription. Return warnings if PagerDuty refuses it."""
        try:
            await self._subscriber.subscribe(
                webhook, connection, audit_record(principal, webhook, "subscribed")
            )
        except PagerDutyError as error:
            return (
                f"PagerDuty's subscription could not be made: {redact_webhook_ids(str(error))};"
                f" try again: calmo-pagerduty webhook subscribe {webhook.handle}",
            )
        return ()

    async def set_secret(self, request: Request, principal: Principal, body: SecretBody) -> WebhookModel:
        """PUT /api/webhooks/{id}/secret. No answer shows it. Earlier secrets stay valid for 72 h."""
        pasted = parse_secret(body.secret.get_secret_value().encode())

        def write(transaction: Transaction, webhook: ManagedWebhook) -> None:
            if webhook.managed and not body.keep_others:
                raise WebhookConflict(
                    "the subscription is ours, so its secret comes from PagerDuty: rotate it instead"
                )
            if webhook.managed and CONNECTIONS_ADMIN not in principal.permissions:
                raise NotPermitted(
                    f"a further secret lets its owner send events to a webhook that we subscribed:"
                    f" that takes the permission {CONNECTIONS_ADMIN}"
                )
            webhook_management.update_secrets(
                transaction, self._keyring, webhook.id, [pasted.secret], datetime.now(UTC), body.keep_others
            )

        return await self._apply_change(
            request, principal, WebhookTransition.SECRET_SET, "secret set", write, pasted.notes
        )

    async def pause(self, request: Request, principal: Principal, _body: NoBody) -> WebhookModel:
        """POST /api/webhooks/{id}/pause: deliveries are answered 202 and stored, but change no issue."""

        def write(transaction: Transaction, webhook: ManagedWebhook) -> None:
            since = webhook.paused_at or datetime.now(UTC)
            webhook_management.update_webhook(transaction, webhook.id, paused_at=since)

        return await self._apply_change(request, principal, WebhookTransition.PAUSED, "paused", write)

    async def resume(self, request: Request, principal: Principal, _body: NoBody) -> WebhookModel:
        """POST /api/webhooks/{id}/resume: paused deliveries stay paused until they are replayed."""

        def write(transaction: Transaction, webhook: ManagedWebhook) -> None:
            webhook_management.update_webhook(transaction, webhook.id, paused_at=None)

        return await self._apply_change(request, principal, WebhookTransition.RESUMED, "resumed", write)

    async def subscribe(self, request: Request, principal: Principal, _body: NoBody) -> WebhookModel:
        """POST /api/webhooks/{id}/subscription, made with the token of the webhook's connection."""
        webhook = await read_webhook(self._database, request, principal)
        connection = await self._get_own_connection(principal, webhook)
        await self._subscriber.subscribe(webhook, connection, audit_record(principal, webhook, "subscribed"))
        return webhook_model(await self._reload(principal, webhook), self._public_address)

    async def rotate(self, request: Request, principal: Principal, _body: NoBody) -> WebhookModel:
        """POST /api/webhooks/{id}/rotate: make a second subscription. Both secrets are valid for 72 h."""
        webhook = await read_webhook(self._database, request, principal)
        apply_transition(webhook.flags, WebhookTransition.ROTATED)
        if not webhook.managed:
            raise WebhookConflict(
                "the subscription was made by hand, so rotate it by hand: make a new one in PagerDuty"
                " with the same address, pass its secret to"
                f" calmo-pagerduty webhook set-secret {webhook.handle}, then delete the old subscription in"
                " PagerDuty; both secrets are valid for 72 h"
            )
        connection = await self._get_own_connection(principal, webhook)
        await self._subscriber.rotate(webhook, connection, audit_record(principal, webhook, "rotated"))
        return webhook_model(await self._reload(principal, webhook), self._public_address)

    async def delete(self, request: Request, principal: Principal, _nothing: NoInput) -> WebhookModel:
        """DELETE /api/webhooks/{id}: new deliveries are answered 410. Stored deliveries stay."""

        def write(transaction: Transaction, webhook: ManagedWebhook) -> None:
            webhook_management.mark_deleted(transaction, webhook.id, datetime.now(UTC))

        webhook = await self._write(request, principal, WebhookTransition.DELETED, "deleted", write)
        warnings: tuple[str, ...] = ()
        if webhook.managed:
            try:
                await self._subscriber.delete_subscriptions(webhook)
            except PagerDutyError as error:
                warnings = (
                    f"PagerDuty's subscription will be deleted later: {redact_webhook_ids(str(error))}",
                )
        return webhook_model(webhook, self._public_address, warnings=warnings)

    async def _get_own_connection(self, principal: Principal, webhook: ManagedWebhook) -> Connection:
        connection = await self._database.read(
            lambda t: require_connection(t, principal.visibility, webhook.connection_id), principal.visibility
        )
        self._subscriber.require_subscribable(principal, connection)
        return connection

    async def _reload(self, principal: Principal, webhook: ManagedWebhook) -> ManagedWebhook:
        self._directory.invalidate(webhook.id)
        return await self._database.read(
            lambda t: get_webhook(t, principal, webhook.id), principal.visibility
        )

    async def _apply_change(
        self,
        request: Request,
        principal: Principal,
        transition: WebhookTransition,
        outcome: str,
        write: Callable[[Transaction, ManagedWebhook], None],
        notes: tuple[str, ...] = (),
    ) -> WebhookModel:
        webhook = await self._write(request, principal, transition, outcome, write)
        return webhook_model(webhook, self._public_address, with_steps=True, notes=notes)

    async def _write(
        self,
        request: Request,
        principal: Principal,
        transition: WebhookTransition,
        outcome: str,
        write: Callable[[Transaction, ManagedWebhook], None],
    ) -> ManagedWebhook:
        """Change a webhook and return its new state. Raises ResourceNotFound, WebhookConflict."""
        id_or_handle = request.path_params["id"]

        def change(transaction: Transaction) -> ManagedWebhook:
            webhook = get_webhook(transaction, principal, id_or_handle)
            apply_transition(webhook.flags, transition)
            write(transaction, webhook)
            insert_audit(transaction, principal, webhook, outcome)
            return get_webhook(transaction, principal, webhook.id)

        webhook = await self._database.write(change, seen_by=principal.visibility)
        self._directory.invalidate(webhook.id)
        return webhook
