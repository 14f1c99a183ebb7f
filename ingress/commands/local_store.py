"""What commands do in the database directly, without the REST API.

The database is slow to import, so a command imports this module inside its function.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bootstrap.store import open_store
from calmo_pagerduty.access import session_store, store as api_keys
from calmo_pagerduty.access.audit_store import insert_audit_row
from calmo_pagerduty.access.key_audit_store import COMMAND_LINE, audit_key_change
from calmo_pagerduty.command_settings import load_command_settings
from calmo_pagerduty.db import key_rotation
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.webhooks import management_store as webhook_management
from calmo_pagerduty.webhooks.event_filters import EventFilter, EventSet
from calmo_pagerduty.webhooks.lifecycle import webhook_handle, webhook_url
from calmo_pagerduty.webhooks.management_store import NewWebhook
from calmo_pagerduty.webhooks.public_address import unreachable_reason
from calmo_pagerduty.webhooks.setup_steps import setup_steps
from ingress.commands.instances import settings_for
from ingress.commands.output import tell

Json = dict[str, Any]


class NotOfThisDatabase(ExplainedError):
    """The database that was found does not know the API key. The message says what to do."""


def tell_of_unused_key() -> None:
    """Say on stderr that the command works on the database, if the user may expect it to use an API key."""
    if load_command_settings().api_key is not None:
        tell("CALMO_API_KEY is not used: the command writes to the database itself, as an operator")


def create_webhook(
    data_dir: Path | None,
    scope: Scope,
    name: str,
    connection: str | None,
    events: EventSet,
    only: EventFilter,
    secret: bytes | None,
) -> Json:
    """Make a webhook and return it as JSON like the REST API's.

    Raises StoreUnavailable, KeyProblem, WebhookConflict.
    """
    tell_of_unused_key()
    now = datetime.now(UTC)
    new = NewWebhook(scope, name, connection, events, only)
    with open_store(settings_for(data_dir)) as store:
        webhook_id = store.database.write_blocking(
            lambda transaction: _insert_webhook(transaction, store.keyring, new, secret, now)
        )
    url = webhook_url(store.settings.webhook_address, webhook_id)
    unreachable = unreachable_reason(store.settings.webhook_address)
    return {
        "id": webhook_id,
        "url": url,
        "scope": str(scope),
        "has_secret": secret is not None,
        "warnings": [unreachable] if unreachable else [],
        "steps": setup_steps(url, webhook_handle(webhook_id), events, only, secret is not None),
    }


def create_api_key(
    data_dir: Path | None,
    name: str,
    permissions: Sequence[str],
    scopes: Sequence[Scope] | None,
    person: str | None,
    teams: Sequence[str],
    lifetime: timedelta | None,
) -> str:
    """Make an API key and return it. Without a lifetime it does not expire. Raises StoreUnavailable."""
    tell_of_unused_key()
    now = datetime.now(UTC)
    expires_at = None if lifetime is None else now + lifetime
    with open_store(settings_for(data_dir)) as store:
        return store.database.write_blocking(
            lambda transaction: insert_audited_key(
                transaction, name, permissions, scopes, now, person, teams, expires_at
            )
        )


def insert_audited_key(
    transaction: Transaction,
    name: str,
    permissions: Sequence[str],
    scopes: Sequence[Scope] | None,
    now: datetime,
    person: str | None = None,
    teams: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> str:
    """Insert an API key in the command line's name, and return its text."""
    text = api_keys.insert_key(transaction, name, permissions, scopes, now, person, teams, expires_at)
    key = api_keys.get_key(transaction, EVERYTHING, api_keys.parse_key_id(text))
    assert key is not None
    audit_key_change(transaction, key, "api key made", now)
    return text


def _insert_webhook(
    transaction: Transaction, keyring: Keyring, new: NewWebhook, secret: bytes | None, now: datetime
) -> str:
    webhook_id = webhook_management.insert_webhook(transaction, keyring, new, secret, now)
    record = {
        "key_id": None,
        "requester": COMMAND_LINE,
        "outcome": "webhook created",
        "webhook": webhook_handle(webhook_id),
    }
    insert_audit_row(transaction, str(new.scope), now, record)
    return webhook_id


def create_sign_in_link(data_dir: Path | None, url: str, api_key: str) -> str:
    """Return the address of a link that signs in to the dashboard at `url` once, with the rights of this key.

    Raises StoreUnavailable, NotOfThisDatabase.
    """
    now = datetime.now(UTC)

    def write(transaction: Transaction) -> str:
        principal = api_keys.get_principal_by_key(transaction, api_key, now)
        if principal is None:
            raise NotOfThisDatabase(
                "the API key is not valid here: name the service's data folder with --data-dir"
            )
        return session_store.insert_link(transaction, principal.key_id, now)

    with open_store(settings_for(data_dir)) as store:
        secret = store.database.write_blocking(write)
    return f"{url.rstrip('/')}/dashboard/sign-in/link?token={secret}"


def count_secrets_by_key(data_dir: Path | None) -> tuple[str, dict[str, int]]:
    """Return the id of the primary master key, and the number of secrets by key id.

    Raises StoreUnavailable, KeyProblem.
    """
    with open_store(settings_for(data_dir)) as store:
        return store.keyring.primary, dict(store.database.read_blocking(key_rotation.count_values_by_key))


def rewrap_secrets(data_dir: Path | None, on_progress: Callable[[int], None]) -> tuple[str, int, list[str]]:
    """Encrypt every secret with the first master key, and call `on_progress` with the number done so far.

    Return the key's id, the number of secrets, and the ids of keys that are no longer needed.
    Raises StoreUnavailable, KeyProblem.
    """
    total = 0
    with open_store(settings_for(data_dir)) as store:
        database, keyring = store.database, store.keyring
        while count := database.write_blocking(
            lambda transaction: key_rotation.update_sealed_batch(transaction, keyring)
        ):
            total += count
            on_progress(total)
        unused_keys = database.write_blocking(
            lambda transaction: key_rotation.delete_unused_keys(transaction, keyring)
        )
    return keyring.primary, total, list(unused_keys)
