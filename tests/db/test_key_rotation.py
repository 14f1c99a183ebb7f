"""A new master key takes over while the service runs, also if that is interrupted anywhere."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import key_rotation, tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import CannotDecrypt, KeyProblem, Keyring
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.token_kinds import TokenKind
from calmo_pagerduty.webhooks import store as webhooks
from tests.support.doors import make_webhook

pytestmark = pytest.mark.each_database

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BOTH = Keyring({"new": NEW, "old": OLD})
REWRAP = """
import sys
from calmo_pagerduty.db import key_rotation
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from functools import partial
database = Database(sys.argv[1])
keyring = Keyring({"new": bytes(range(32, 64)), "old": bytes(range(32))})
while some := database.write_blocking(lambda t: key_rotation.update_sealed_batch(t, keyring)):
    print(some, flush=True)
"""


def fill(database: Database, secrets: int) -> str:
    """Seal so many secrets of one webhook with the old key; returns the webhook."""
    old = Keyring({"old": OLD})
    database.write_blocking(old.check)
    webhook = make_webhook(database, old, secret=None)

    def write(transaction: sa.Connection) -> None:
        for number in range(secrets):
            webhooks.insert_secret(transaction, old, webhook, f"secret-{number}".encode(), datetime.now(UTC))

    database.write_blocking(write)
    return webhook


def readable(database: Database, keyring: Keyring, webhook: str) -> set[str]:
    found = database.read_blocking(lambda t: webhooks.get_webhook(t, keyring, webhook, datetime.now(UTC)))
    assert found is not None
    return {secret.decode() for _, secret in found.secrets}


def test_secrets_come_under_the_new_key_and_the_old_one_may_go(database: Database) -> None:
    webhook = fill(database, 450)
    database.write_blocking(BOTH.check)
    assert readable(database, BOTH, webhook) == {f"secret-{number}" for number in range(450)}
    assert database.read_blocking(key_rotation.count_values_by_key) == {"new": 0, "old": 450}
    steps = []
    while some := database.write_blocking(lambda t: key_rotation.update_sealed_batch(t, BOTH)):
        steps.append(some)
    assert steps == [200, 200, 50]
    assert database.read_blocking(key_rotation.count_values_by_key) == {"new": 450, "old": 0}
    assert database.write_blocking(lambda t: key_rotation.delete_unused_keys(t, BOTH)) == ("old",)
    only_new = Keyring({"new": NEW})
    database.write_blocking(only_new.check)
    assert len(readable(database, only_new, webhook)) == 450


def test_a_value_under_an_unknown_key_is_told_of_and_nothing_is_lost(database: Database) -> None:
    webhook = fill(database, 3)
    with pytest.raises(CannotDecrypt):
        database.write_blocking(lambda t: key_rotation.update_sealed_batch(t, Keyring({"new": NEW})))
    assert len(readable(database, Keyring({"old": OLD}), webhook)) == 3


def interrupt_and_finish(database: Database, url: str, secrets: int) -> None:
    webhook = fill(database, secrets)
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", REWRAP, url],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    counted = database.read_blocking(key_rotation.count_values_by_key)
    assert counted["new"] > 0
    assert len(readable(database, BOTH, webhook)) == secrets
    while database.write_blocking(lambda t: key_rotation.update_sealed_batch(t, BOTH)):
        pass
    assert len(readable(database, Keyring({"new": NEW}), webhook)) == secrets


def test_a_killed_rotation_leaves_everything_readable_and_goes_on(
    database: Database, migrated_url: str
) -> None:
    interrupt_and_finish(database, migrated_url, 1_000)


@pytest.mark.torture
def test_a_killed_rotation_of_ten_thousand_secrets(database: Database, migrated_url: str) -> None:
    interrupt_and_finish(database, migrated_url, 10_000)


def test_a_token_is_brought_under_the_new_key_too(database: Database) -> None:
    old = Keyring({"old": OLD})
    now = datetime.now(UTC)
    made = database.write_blocking(
        lambda t: connections.insert_connection(t, "Ours", Scope.parse("organization:acme"), now)
    )
    found = database.read_blocking(lambda t: connections.get_connection(t, EVERYTHING, made))
    connection = found
    assert connection is not None
    database.write_blocking(
        lambda t: connections.update_token(
            t, old, connection, TokenKind.API_TOKEN, SecretStr("a-secret-token")
        )
    )
    assert database.write_blocking(lambda t: key_rotation.update_sealed_batch(t, BOTH)) == 1
    found = database.read_blocking(lambda t: connections.get_connection(t, EVERYTHING, made))
    assert found is not None
    token = database.read_blocking(lambda t: connections.get_token(t, Keyring({"new": NEW}), found))
    assert token is not None
    assert token.get_secret_value() == "a-secret-token"
    assert (
        database.read_blocking(lambda t: t.execute(sa.select(tables.connections.c.token_version)).scalar())
        == 1
    )


def test_in_two_steps_no_process_ever_meets_a_value_that_it_can_not_open(database: Database) -> None:
    """As docs/security.md says: the new key comes last everywhere, and then first, one process at a time."""
    before, knows_it, uses_it = Keyring({"old": OLD}), Keyring({"old": OLD, "new": NEW}), BOTH
    database.write_blocking(before.check)
    webhook = make_webhook(database, before, secret=None)
    sealed: set[str] = set()
    for running in ((before, before), (knows_it, before), (knows_it, knows_it), (uses_it, knows_it)):
        for keyring in running:
            database.write_blocking(keyring.check)
            secret = f"secret-{len(sealed)}"
            sealed.add(secret)
            database.write_blocking(
                partial(
                    webhooks.insert_secret,
                    keyring=keyring,
                    webhook_id=webhook,
                    secret=secret.encode(),
                    now=datetime.now(UTC),
                )
            )
        assert [readable(database, keyring, webhook) for keyring in running] == [sealed, sealed]


def test_in_one_step_a_process_that_does_not_know_the_new_key_can_open_nothing_new(
    database: Database,
) -> None:
    """What the two steps are for, and what a restart of that process says."""
    webhook = fill(database, 1)
    database.write_blocking(BOTH.check)
    database.write_blocking(lambda t: webhooks.insert_secret(t, BOTH, webhook, b"new", datetime.now(UTC)))
    with pytest.raises(CannotDecrypt, match="not configured here: 'new'"):
        readable(database, Keyring({"old": OLD}), webhook)
    with pytest.raises(KeyProblem, match="'new' is missing"):
        database.write_blocking(Keyring({"old": OLD}).check)
