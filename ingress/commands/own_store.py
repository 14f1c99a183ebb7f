"""Commands that work on the database themselves, whether the service runs or not."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from calmo_pagerduty.settings import Settings
from calmo_pagerduty.store.database import Database
from calmo_pagerduty.store.encryption import Keyring
from ingress.commands.instances import settings_for


@dataclass(frozen=True, slots=True)
class OwnStore:
    settings: Settings
    database: Database
    keyring: Keyring


@contextmanager
def own_store(data_dir: Path | None) -> Iterator[OwnStore]:
    """Open the service's database, with the schema and the master keys that it needs.

    Raises StoreUnavailable, CannotDecrypt for master keys that aren't the database's.
    """
    settings = settings_for(data_dir)
    with closing(Database(settings.database)) as database:
        database.migrate()
        keyring = settings.keyring()
        database.write_now(keyring.check)
        yield OwnStore(settings, database, keyring)
