"""Prepare `up`: lock the data folder, check the ports, and make what the first run needs."""

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from pydantic import SecretStr

from bootstrap.store import OpenStore, open_store
from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import ALL_PERMISSIONS
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.processes import check_port
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.temporal.dev_server import isolated_environment
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from calmo_pagerduty.webhooks import store as webhooks
from calmo_pagerduty.webhooks.lifecycle import webhook_url
from ingress.commands.instances import API_KEY_FILE
from ingress.commands.local_store import insert_audited_key

DEMO_SCOPE = Scope.parse("organization:demo")
#: The user of the simulated PagerDuty who makes our writes there.
DEMO_PERSON = "ines.albrecht@lantern-lane.example"

#: Writes are not allowed by default, but the demo resolves an incident from Calmo.
DEMO_RULES = ConnectionRules(switches={"tool:resolve_incident": Switch.ALLOW})


class CannotStart(ExplainedError):
    """The service can't start. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of `up`."""

    data_dir: Path
    port: int
    webhook_port: int
    temporal_port: int
    ui_port: int
    demo: bool
    speed: float
    #: The port of the simulated PagerDuty, if `demo` is true.
    simulator_port: int = 0
    #: The port on which the forwarder tells its health and metrics.
    forwarder_port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def door_url(self) -> str:
        return f"http://127.0.0.1:{self.webhook_port}"

    @property
    def webhook_url(self) -> str | None:
        """The address of webhooks: the user's, else the door's. None if the public URL serves for both."""
        given = os.environ.get("CALMO_WEBHOOK_URL")
        return given or (None if os.environ.get("CALMO_PUBLIC_URL") else self.door_url)

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def temporal_address(self) -> str:
        return f"127.0.0.1:{self.temporal_port}"

    @property
    def simulator_url(self) -> str | None:
        """The demo's simulator, else the one that the user's environment names."""
        if self.demo:
            return f"http://127.0.0.1:{self.simulator_port}"
        return os.environ.get("CALMO_SIMULATOR_URL")

    def environment(self) -> dict[str, str | None]:
        """Return the environment of the child processes."""
        return isolated_environment() | {
            "CALMO_SIMULATOR_URL": self.simulator_url,
            "CALMO_DATA_DIR": str(self.data_dir),
            "CALMO_HEARTBEAT_DIR": str(self.data_dir),
            "CALMO_HTTP_HOST": "127.0.0.1",
            "CALMO_HTTP_PORT": str(self.port),
            "CALMO_WEBHOOK_URL": self.webhook_url,
            "CALMO_ALLOWED_HOSTS": os.environ.get("CALMO_ALLOWED_HOSTS") or "localhost",
            "CALMO_TEMPORAL_UI_URL": self.ui_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": "default",
        }


def lock_folder(folder: Path) -> TextIO:
    """Create and lock the data folder for this process. Raises CannotStart."""
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise CannotStart(
            f"the data folder {folder} can't be written to ({error.strerror}): "
            "choose another folder with --data-dir"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise CannotStart(f"another `calmo-pagerduty up` is using the data folder {folder}") from None
    return lock


def check_ports(plan: UpOptions) -> None:
    """Check that the ports are different and free. Raises PortTaken, CannotStart."""
    ports = {
        "--port": plan.port,
        "--webhook-port": plan.webhook_port,
        "--temporal-port": plan.temporal_port,
        "--ui-port": plan.ui_port,
    }
    if len(set(ports.values())) < len(ports):
        raise CannotStart(f"{', '.join(ports)} must be different ports")
    for option, port in ports.items():
        check_port("127.0.0.1", port, option)


@dataclass(frozen=True, slots=True)
class Demo:
    """What the simulated PagerDuty needs: the webhook's address and secret, and the token to accept."""

    webhook_url: str
    secret: str
    token: str


def prepare(settings: Settings, plan: UpOptions) -> tuple[str, Demo | None]:
    """Migrate the database, and make the first API key and the demo's webhook. Return the key and the demo.

    Raises StoreUnavailable, KeyProblem.
    """
    with open_store(settings) as store:
        api_key = _first_api_key(settings, store.database)
        return api_key, _prepare_demo(plan, store) if plan.demo else None


def _prepare_demo(plan: UpOptions, store: OpenStore) -> Demo:
    database, keyring = store.database, store.keyring
    secret_file = store.settings.data_dir / "demo_webhook"
    now = datetime.now(UTC)
    if not secret_file.exists():
        secret = os.urandom(24).hex()

        def make(transaction: Transaction) -> str:
            webhook_id = webhooks.insert_webhook(transaction, keyring, DEMO_SCOPE, secret.encode(), now)
            new = webhooks.get_webhook(transaction, keyring, webhook_id, now)
            if new:
                connections.update_rules(transaction, new.connection_id, DEMO_RULES)
            return webhook_id

        new_id = database.write_blocking(make)
        _write_private(secret_file, json.dumps({"id": new_id, "secret": secret}))
    webhook = json.loads(secret_file.read_text())
    # Each process of the simulator is a new account, so it needs a new token.
    token = os.urandom(16).hex()

    def connect(transaction: Transaction) -> None:
        stored = webhooks.get_webhook(transaction, keyring, webhook["id"], now)
        connection = stored and connections.get_connection(transaction, EVERYTHING, stored.connection_id)
        if connection:
            connections.update_connection(
                transaction,
                connection.id,
                name="Simulated PagerDuty",
                region=Region.SIMULATOR,
                from_address=DEMO_PERSON,
            )
            connections.update_token(transaction, keyring, connection, TokenKind.API_TOKEN, SecretStr(token))

    database.write_blocking(connect)
    # Not the public address: a proxy in front of it may not run yet.
    return Demo(webhook_url(plan.door_url, webhook["id"]), webhook["secret"], token)


def _first_api_key(settings: Settings, database: Database) -> str:
    path = settings.data_dir / API_KEY_FILE
    if not path.exists():
        now = datetime.now(UTC)
        key = database.write_blocking(
            lambda connection: insert_audited_key(connection, "first key", ALL_PERMISSIONS, None, now)
        )
        _write_private(path, key + "\n")
        return key
    key = path.read_text().strip()
    # This version may have more permissions than the version that made the key.
    database.write_blocking(lambda connection: api_keys.update_permissions(connection, key, ALL_PERMISSIONS))
    return key


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
