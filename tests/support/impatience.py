"""A test that is about one of our limits has it run out soon, for as long as it needs that."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from calmo_pagerduty.db import database
from ingress.api import health
from ingress.webhook_receiver import receiver


@contextmanager
def impatient_database() -> Iterator[None]:
    """SQLite's lock is soon given up, as it is after two seconds in life."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "SQLITE_BUSY_SECONDS", 0.3)
        yield


@contextmanager
def impatient_door() -> Iterator[None]:
    """The receiver soon asks PagerDuty to come back, whichever database doesn't answer."""
    with pytest.MonkeyPatch.context() as patch, impatient_database():
        patch.setattr(receiver, "COMMIT_SECONDS", 0.5)
        yield


@contextmanager
def impatient_health() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(health, "HEALTH_SECONDS", 3.0)
        yield
