"""An incident's contexts are kept version by version, each source by itself, for those who may see them."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.runs import ContextState
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import MAX_VERSIONS, ContextPart
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from tests.support.builders import SECRET, new_id
from tests.support.doors import make_webhook, rows

pytestmark = pytest.mark.each_database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BANK = Visibility((Scope.parse("organization:bank"),))
SHOP = Visibility((Scope.parse("organization:shop"),))
ALERTS = ContextPart(
    Source.ALERTS, SourceState.COMPLETE, count=2, requests=1, seconds=0.5, data=[{"id": "A1"}]
)


@pytest.fixture
def ref(database: Database, keyring: Keyring) -> IncidentRef:
    make_webhook(database, keyring, SECRET, scope="organization:shop")
    connection = database.read_blocking(lambda t: t.execute(sa.select(tables.connections.c.id)).scalar_one())
    return IncidentRef(connection_id=connection, incident_id=new_id())


def begin(database: Database, ref: IncidentRef, *reasons: str, by: str = "run 1") -> int:
    return database.write_blocking(lambda t: contexts.insert_version(t, ref, reasons, NOW, by))


def finish(database: Database, ref: IncidentRef, version: int, **of: Any) -> None:
    database.write_blocking(
        lambda t: contexts.mark_version_finished(t, ref, version, ContextState.COMPLETE, NOW, **of)
    )


def test_versions_count_from_one_and_tell_why(database: Database, ref: IncidentRef) -> None:
    finish(database, ref, begin(database, ref, "first event"))
    finish(database, ref, begin(database, ref, "reopened"))
    found = database.read_blocking(lambda t: contexts.list_versions(t, EVERYTHING, ref.issue_id))
    assert [(context.version, context.reasons) for context in found] == [
        (2, ("reopened",)),
        (1, ("first event",)),
    ]


def test_begun_again_by_the_same_one_it_is_the_same_version(database: Database, ref: IncidentRef) -> None:
    version = begin(database, ref, "first event")
    database.write_blocking(lambda t: contexts.upsert_part(t, ref, version, ALERTS))
    assert begin(database, ref, "first event") == version
    assert database.read_blocking(lambda t: contexts.get_parts(t, ref, version)) == {Source.ALERTS: ALERTS}


def test_one_that_was_broken_off_has_failed_as_soon_as_another_begins(
    database: Database, ref: IncidentRef
) -> None:
    assert begin(database, ref, "first event") == 1
    assert begin(database, ref, "reopened", by="run 2") == 2
    found = database.read_blocking(lambda t: contexts.list_versions(t, EVERYTHING, ref.issue_id))
    assert [(context.version, context.state) for context in found] == [(2, "gathering"), (1, "failed")]


def test_what_a_source_brings_takes_the_place_of_what_it_brought(
    database: Database, ref: IncidentRef
) -> None:
    version = begin(database, ref)
    for count in (1, 2):
        part = ContextPart(
            Source.ALERTS, SourceState.PARTIAL, "more", count, data={"n": count}, fetched_at=NOW
        )
        database.write_blocking(partial(contexts.upsert_part, ref=ref, version=version, part=part))
    assert database.read_blocking(lambda t: contexts.get_parts(t, ref, version)) == {Source.ALERTS: part}


def test_progress_names_every_source_also_before_it_is_heard_of(database: Database, ref: IncidentRef) -> None:
    assert database.read_blocking(lambda t: contexts.get_progress(t, EVERYTHING, ref.issue_id)) is None
    version = begin(database, ref, "first event")
    database.write_blocking(lambda t: contexts.upsert_part(t, ref, version, ALERTS))
    found = database.read_blocking(lambda t: contexts.get_progress(t, EVERYTHING, ref.issue_id))
    assert found is not None
    assert [report.source for report in found.sources] == list(Source)
    states = {report.source: report.state for report in found.sources}
    assert states.pop(Source.ALERTS) is SourceState.COMPLETE
    assert set(states.values()) == {SourceState.GATHERING}
    assert found.requests == 1


def test_the_newest_complete_one_is_shown_while_the_next_is_gathered(
    database: Database, ref: IncidentRef
) -> None:
    finish(database, ref, begin(database, ref), document={"version": 1}, requests=7, is_degraded=True)
    begin(database, ref)
    found = database.read_blocking(lambda t: contexts.get_version(t, EVERYTHING, ref.issue_id))
    assert found is not None
    assert (found.version, found.document, found.requests, found.is_degraded) == (1, {"version": 1}, 7, True)
    second = database.read_blocking(lambda t: contexts.get_version(t, EVERYTHING, ref.issue_id, 2))
    assert second is not None and second.state is ContextState.GATHERING


def test_a_complete_one_stays_as_it_is_whoever_gives_it_up_later(
    database: Database, ref: IncidentRef
) -> None:
    version = begin(database, ref)
    finish(database, ref, version, document={"version": 1})
    database.write_blocking(
        lambda t: contexts.mark_version_finished(t, ref, version, ContextState.FAILED, NOW)
    )
    found = database.read_blocking(lambda t: contexts.get_version(t, EVERYTHING, ref.issue_id))
    assert found is not None
    assert (found.state, found.document) == (ContextState.COMPLETE, {"version": 1})


def test_twenty_versions_are_kept_and_how_the_newest_came_about(database: Database, ref: IncidentRef) -> None:
    for _ in range(MAX_VERSIONS + 3):
        version = begin(database, ref)
        database.write_blocking(partial(contexts.upsert_part, ref=ref, version=version, part=ALERTS))
        finish(database, ref, version)
    kept = sorted(row.version for row in rows(database, tables.contexts))
    assert kept == list(range(4, MAX_VERSIONS + 4))
    (part,) = rows(database, tables.context_parts)
    kept_part = part._mapping
    assert (kept_part["version"], kept_part["count"], kept_part["data"]) == (
        MAX_VERSIONS + 3,
        ALERTS.count,
        None,
    )


def test_what_is_anothers_is_as_if_it_were_not_there(database: Database, ref: IncidentRef) -> None:
    finish(database, ref, begin(database, ref))
    for seen_by, there in ((SHOP, True), (BANK, False), (Visibility(), False), (EVERYTHING, True)):
        for find in (contexts.get_version, contexts.list_versions, contexts.get_progress):
            assert (
                bool(database.read_blocking(partial(find, seen_by=seen_by, issue_id=ref.issue_id))) is there
            )


def test_a_version_ends_when_it_was_finished(database: Database, ref: IncidentRef) -> None:
    version = begin(database, ref)
    later = NOW + timedelta(seconds=9)
    database.write_blocking(
        lambda t: contexts.mark_version_finished(t, ref, version, ContextState.FAILED, later)
    )
    found = database.read_blocking(lambda t: contexts.get_started_version(t, ref, version))
    assert found is not None
    assert (found.state, found.begun_at, found.finished_at) == (ContextState.FAILED, NOW, later)
