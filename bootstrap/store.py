"""Opens an instance's database and master keys, in the same way for each program."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenStore:
    """An open, migrated database, and its master keys."""

    settings: Settings
    database: Database
    keyring: Keyring


@contextmanager
def open_store(settings: Settings) -> Iterator[OpenStore]:
    """Open and migrate the database, and the master keys, which the first run creates. Close it at the end.

    Raises StoreUnavailable, KeyProblem if master keys are missing or don't belong to the database.
    """
    with closing(Database(settings.database)) as database:
        database.migrate()
        keyring = settings.keyring()
        database.write_blocking(keyring.check)
        database.sign_audit_with(keyring.audit_keys)
        yield OpenStore(settings, database, keyring)
