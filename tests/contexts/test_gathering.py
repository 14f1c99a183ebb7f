"""An incident's context is gathered from every source, assessed and kept, with few requests."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account_cache_store import IncidentRow
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.transactions import Transaction
from tests.support.doors import rows
from tests.support.gathering import states
from tests.support.system import System

#: What is about one incident only. All else is shared by those of an account.
UNIQUE = frozenset(
    {
        "getIncident", "listIncidentAlerts", "listIncidentNotes", "getIncidentImpactedBusinessServices",
        "listIncidentRelatedChangeEvents", "getPastIncidents", "getRelatedIncidents",
        "listIncidentLogEntries",
    }
)  # fmt: skip


@pytest.mark.each_database
async def test_every_source_of_a_furnished_incident_is_gathered(system: System) -> None:
    ref = system.trigger()
    system.account.add_alert(ref.incident_id, "p99 is 1200 ms", "error", {"host": "web-7"})
    someone = next(iter(system.account.users.values()))
    system.account.annotate(ref.incident_id, "Looking into it", by=someone.id)
    other = system.trigger("Order database: disk is almost full", on="Order database")
    found = await system.gather_context(ref, "a test")
    assert set(states(found).values()) == {SourceState.COMPLETE}
    assert not found.is_degraded
    assert (found.version, found.reasons) == (1, ("a test",))
    told = found.assessment
    assert told.incident.title.text == "Checkout API: latency above 900 ms"
    assert [alert.summary.text for alert in told.alerts] == ["p99 is 1200 ms"]
    assert [(note.text.text, note.who.name) for note in told.notes if note.who] == [
        ("Looking into it", someone.name)
    ]
    assert other.incident_id in {related.incident.id for related in told.others}
    assert "Release 412: retry failed card authorisations" in {change.summary.text for change in told.changes}
    assert {reach.thing.name for reach in told.surrounding.upstream} == {"Order database", "Payment gateway"}
    assert {reach.thing.name for reach in told.surrounding.business} >= {"Paying", "Online shop"}
    assert told.on_call
    assert told.impact.confidence == 1.0
    assert told.similar and all(similar.score > 0 for similar in told.similar)
    assert any(similar.handled for similar in told.similar)


async def test_the_next_incident_asks_for_little_more_than_its_own(system: System) -> None:
    await system.gather_context(system.trigger())
    before = system.requests_so_far()
    found = await system.gather_context(system.trigger("Search: error rate 200 per minute", on="Search"))
    asked = system.asked(before)
    own = sum(count for operation, count in asked.items() if operation in UNIQUE - {"listIncidentLogEntries"})
    assert own == 7
    # One log is its own; the others are of past incidents that nobody looked at before.
    assert asked["listIncidentLogEntries"] <= 11
    assert asked.total() <= 40
    assert found.requests == asked.total()
    shared = {operation for operation in asked if operation not in UNIQUE}
    assert shared <= {
        "getTechnicalServiceServiceDependencies",
        "getBusinessServiceServiceDependencies",
        "listOnCalls",
    }


async def test_the_same_incident_again_asks_for_its_own_only(system: System) -> None:
    ref = system.trigger()
    await system.gather_context(ref)
    before = system.requests_so_far()
    second = await system.gather_context(ref)
    assert second.version == 2
    assert system.asked(before) == dict.fromkeys(UNIQUE, 1)


async def test_what_is_old_is_asked_for_anew(system: System) -> None:
    ref = system.trigger()
    await system.gather_context(ref)
    long_ago = datetime.now(UTC) - timedelta(days=2)

    def age(transaction: Transaction) -> None:
        transaction.execute(sa.update(tables.account_objects).values(fetched_at=long_ago))
        transaction.execute(sa.update(tables.account_reads).values(until=long_ago))

    system.database.write_blocking(age)
    before = system.requests_so_far()
    await system.gather_context(ref)
    asked = system.asked(before)
    assert {"listServices", "listUsers", "listPriorities", "listIncidents", "listChangeEvents"} <= set(asked)


async def test_what_was_open_when_it_was_read_is_looked_at_again(system: System) -> None:
    with system.ago(timedelta(minutes=5)):
        other = system.trigger("Search: queue has 500 messages", on="Search")
    ref = system.trigger("Search: queue has 900 messages", on="Search")
    await system.gather_context(ref)
    someone = next(iter(system.account.users.values()))
    system.account.resolve(other.incident_id, by=someone.id, note="Restarted the consumers")
    earlier = datetime.now(UTC) - timedelta(minutes=1)
    system.database.write_blocking(
        lambda t: t.execute(sa.update(tables.account_reads).values(until=earlier, read_at=earlier))
    )
    found = await system.gather_context(ref)
    (similar,) = [past for past in found.assessment.similar if past.incident.id == other.incident_id]
    assert similar.resolution is not None and similar.resolution.text == "Restarted the consumers"
    assert ("resolved", someone.id) in {(did.did, did.who.id) for did in similar.handled}


async def test_what_nobody_asked_pagerduty_for_stays_unasked(system: System) -> None:
    """An incident without a past, a service, or anybody on call is told of as such."""
    system.account.belongings.dependencies.clear()
    system.account.belongings.change_events.clear()
    found = await system.gather_context(system.trigger())
    assert not found.is_degraded
    counts = {report.source: report.count for report in found.sources}
    assert counts[Source.CHANGES] == counts[Source.DEPENDENCIES] == counts[Source.ALERTS] == 0


async def test_an_incident_that_was_open_for_days_is_looked_at_until_it_is_over(system: System) -> None:
    old = system.trigger("Basket: disk is full")
    await system.gather_context(system.trigger())
    system.account.resolve(old.incident_id)
    read_at = datetime.now(UTC) - timedelta(days=2)

    def long_ago(transaction: Transaction) -> None:
        began = read_at - timedelta(days=3)
        deleted = IncidentRow("QDELETED", "Disk is full", "PS1", "triggered", began, None, {})
        cache_store.upsert_incidents(transaction, old.connection_id, [deleted], read_at)
        table = tables.account_incidents
        its = sa.update(table).where(table.c.id == old.incident_id)
        transaction.execute(its.values(created_at=began, changed_at=read_at))

    def remembered() -> dict[str, str]:
        return {row.id: row.status for row in rows(system.database, tables.account_incidents)}

    assert remembered()[old.incident_id] == "triggered"
    system.database.write_blocking(long_ago)
    await system.gather_context(system.trigger())
    assert remembered()[old.incident_id] == "resolved"
    assert "QDELETED" not in remembered()
    before = system.requests_so_far()
    await system.gather_context(system.trigger())
    assert system.asked(before)["getIncident"] == 1
