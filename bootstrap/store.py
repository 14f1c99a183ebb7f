"""The database of an instance, opened as each program of it does."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenStore:
    """An open database with the schema of this version, and the master keys that fit it."""

    settings: Settings
    database: Database
    keyring: Keyring


@contextmanager
def open_database(settings: Settings, durable: bool = True) -> Iterator[Database]:
    """Open the database and migrate it; it is closed at the end.

    Not `durable`: a power failure may take the last commits, for a program that can make them again.
    Raises StoreUnavailable.
    """
    with closing(Database(settings.database, durable=durable)) as database:
        database.migrate()
        yield database


@contextmanager
def open_store(settings: Settings, durable: bool = True) -> Iterator[OpenStore]:
    """Open the database as `open_database` does, with its master keys, which are made on the first run.

    Raises StoreUnavailable, KeyProblem for master keys that are missing or aren't the database's.
    """
    with open_database(settings, durable) as database:
        keyring = settings.keyring()
        database.write_blocking(keyring.check)
        yield OpenStore(settings, database, keyring)
