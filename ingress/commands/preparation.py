"""Before anything runs: whose folder, which ports, and what is made on the first run."""

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from calmo_pagerduty.domain.scopes import Scope
from calmo_pagerduty.processes import check_port
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.store import api_keys, webhooks
from calmo_pagerduty.store.database import Database
from calmo_pagerduty.temporal_dev_server import without_callers_settings
from ingress.authentication import ALL_PERMISSIONS
from ingress.commands.instances import API_KEY_FILE
from ingress.commands.webhooks import webhook_url

DEMO_SCOPE = Scope.parse("organization:demo")


class CannotStart(Exception):
    """The service can't start here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `up` was asked for."""

    data_dir: Path
    port: int
    temporal_port: int
    ui_port: int
    demo: bool
    speed: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str:
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def temporal_address(self) -> str:
        return f"127.0.0.1:{self.temporal_port}"

    def environment(self) -> dict[str, str | None]:
        """What the parts are told."""
        return without_callers_settings() | {
            "CALMO_DATA_DIR": str(self.data_dir),
            "CALMO_HTTP_HOST": "127.0.0.1",
            "CALMO_HTTP_PORT": str(self.port),
            "CALMO_TEMPORAL_UI_URL": self.ui_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": "default",
        }


def take_folder(folder: Path) -> TextIO:
    """Make the data folder ours alone. Raises CannotStart."""
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise CannotStart(
            f"the data folder {folder} can't be written to ({error.strerror}): "
            "choose another one with --data-dir"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise CannotStart(f"another `calmo-pagerduty up` is using the data folder {folder}") from None
    return lock


def check_ports(plan: Plan) -> None:
    """Raises PortTaken, CannotStart."""
    ports = {"--port": plan.port, "--temporal-port": plan.temporal_port, "--ui-port": plan.ui_port}
    if len(set(ports.values())) < len(ports):
        raise CannotStart(f"{', '.join(ports)} must be different ports")
    for option, port in ports.items():
        check_port("127.0.0.1", port, option)


def prepare(settings: Settings, plan: Plan) -> tuple[str, tuple[str, str] | None]:
    """Migrate, make the first API key and the demo's webhook. Returns (API key, (URL, secret) or None).

    Raises StoreUnavailable, KeyProblem.
    """
    database = Database(settings.database)
    try:
        database.migrate()
        keyring = settings.keyring()
        database.write_now(keyring.check)
        api_key = _first_api_key(settings, database)
        if not plan.demo:
            return api_key, None
        secret_file = settings.data_dir / "demo_webhook"
        if not secret_file.exists():
            secret = os.urandom(24).hex()
            now = datetime.now(UTC)
            made = database.write_now(
                lambda connection: webhooks.create(connection, keyring, DEMO_SCOPE, secret.encode(), now)
            )
            _write_private(secret_file, json.dumps({"id": made, "secret": secret}))
        webhook = json.loads(secret_file.read_text())
        # Not the public address: what stands in front of us there may not be up yet.
        return api_key, (webhook_url(plan.url, webhook["id"]), webhook["secret"])
    finally:
        database.close()


def _first_api_key(settings: Settings, database: Database) -> str:
    path = settings.data_dir / API_KEY_FILE
    if not path.exists():
        now = datetime.now(UTC)
        key = database.write_now(
            lambda connection: api_keys.create(connection, "first key", ALL_PERMISSIONS, None, now)
        )
        _write_private(path, key + "\n")
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
