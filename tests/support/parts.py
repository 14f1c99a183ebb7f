"""The real parts that a whole service is put together from."""

from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring


@dataclass(frozen=True, slots=True)
class Parts:
    """A service's forwarder connects by itself: TEMPORAL_ADDRESS in the environment says where to."""

    temporal: Client
    database: Database
    keyring: Keyring
    data_dir: Path
