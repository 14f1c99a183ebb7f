"""What commands do in the database themselves, whether the service runs or not.

The database takes a while to import, so a command imports this module where it uses it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bootstrap.store import open_database, open_store
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.db import key_rotation
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.webhooks import management_store as webhook_management
from calmo_pagerduty.webhooks.event_filters import EventFilter, EventSet
from calmo_pagerduty.webhooks.lifecycle import webhook_handle, webhook_url
from calmo_pagerduty.webhooks.management_store import NewWebhook
from calmo_pagerduty.webhooks.public_address import unreachable_reason
from calmo_pagerduty.webhooks.setup_steps import setup_steps
from ingress.commands.instances import settings_for

Json = dict[str, Any]


def create_webhook(
    data_dir: Path | None, scope: Scope, name: str, events: EventSet, only: EventFilter, secret: bytes | None
) -> Json:
    """Return the new webhook as the REST API would show it. Raises StoreUnavailable, KeyProblem."""
    now = datetime.now(UTC)
    new = NewWebhook(scope, name, None, events, only)
    with open_store(settings_for(data_dir)) as own:
        webhook_id = own.database.write_blocking(
            lambda transaction: webhook_management.insert_webhook(transaction, own.keyring, new, secret, now)
        )
    url = webhook_url(own.settings.public_address, webhook_id)
    unreachable = unreachable_reason(own.settings.public_address)
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
    """Return the new key; without a lifetime it doesn't end. Raises StoreUnavailable."""
    now = datetime.now(UTC)
    ends = None if lifetime is None else now + lifetime
    with open_database(settings_for(data_dir)) as database:
        return database.write_blocking(
            lambda transaction: api_keys.insert_key(
                transaction, name, permissions, scopes, now, person, teams, ends
            )
        )


def sealed_values(data_dir: Path | None) -> tuple[str, dict[str, int]]:
    """Return the master key that seals, and how many secrets are under each.

    Raises StoreUnavailable, KeyProblem.
    """
    with open_store(settings_for(data_dir)) as own:
        return own.keyring.primary, dict(own.database.read_blocking(key_rotation.count_values_by_key))


def rewrap_secrets(data_dir: Path | None, tell: Callable[[int], None]) -> tuple[str, int, list[str]]:
    """Bring every secret under the first master key; `tell` hears now and then how many are done.

    Returns the key, how many secrets were brought under it, and the keys that aren't needed any more.
    Raises StoreUnavailable, KeyProblem.
    """
    total = 0
    with open_store(settings_for(data_dir)) as own:
        database, keyring = own.database, own.keyring
        while some := database.write_blocking(
            lambda transaction: key_rotation.update_sealed_batch(transaction, keyring)
        ):
            total += some
            tell(total)
        idle = database.write_blocking(
            lambda transaction: key_rotation.delete_unused_keys(transaction, keyring)
        )
    return keyring.primary, total, list(idle)
