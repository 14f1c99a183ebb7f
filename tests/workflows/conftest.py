"""Incidents to play with: a real server, a real worker's parts, a database of their own."""

import pytest
from temporalio.client import Client

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from tests.support.incident_runs import IncidentRuns


@pytest.fixture
def runs(temporal: Client, database: Database, keyring: Keyring, task_queue: str) -> IncidentRuns:
    return IncidentRuns(temporal, database, keyring, task_queue)
