"""A finding opens an issue once, which closes and reopens as the finding does; PagerDuty is left alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access.persons import NO_PERSONS, PersonVisibility
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connection_store
from calmo_pagerduty.contexts import issue_history_queries
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.findings import issue_store, queries
from calmo_pagerduty.findings.decision_service import FindingDecisionService
from calmo_pagerduty.findings.issues import EVENT_OF_ISSUE, SEVERITY_OF_ISSUE, STATUS_OF_ISSUE
from calmo_pagerduty.findings.lifecycle import (
    CONNECTION_REMOVED,
    FindingDecisionRefused,
    FindingEventKind,
    FindingState,
    StoredFinding,
    Trigger,
)
from calmo_pagerduty.findings.model import FindingSeverity
from calmo_pagerduty.findings.persons import finding_for
from calmo_pagerduty.findings.queries import FindingFilter
from calmo_pagerduty.findings.service import FindingService, UnknownConnection
from calmo_pagerduty.incidents import queries as issue_queries, response_target_store
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.queries import InvalidCursor, IssueFilter, IssueOrder
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from calmo_pagerduty.pagerduty.event_types import OWN_EVENT_TYPES
from calmo_pagerduty.reconciliation import store as reconciliations
from tests.support.connected import add_connection
from tests.support.findings import ANA, DAY, NOON, RETAIL, SHOP_POLICY, a_finding, a_gap, a_result

pytestmark = pytest.mark.each_database

SHOP = Visibility((Scope.parse("organization:shop"),))
KIM = Principal("kimskey", frozenset({"findings:write"}), SHOP, "kim")


@pytest.fixture
def connection(database: Database, keyring: Keyring) -> str:
    return add_connection(database, keyring, "organization:shop")


@pytest.fixture
def days() -> Iterator[int]:
    """The `now` of one run after the other, a day apart."""
    return iter(range(NOON, NOON + 50 * DAY, DAY))


@pytest.fixture
def service(database: Database) -> FindingService:
    return FindingService(database)


@pytest.fixture
def decisions(database: Database) -> FindingDecisionService:
    return FindingDecisionService(database)


def issues_of(database: Database, order: IssueOrder = IssueOrder.NEWEST) -> list[Issue]:
    found: list[Issue] = []
    cursor = None
    while True:
        page = database.read_blocking(
            lambda t: issue_queries.list_issues(t, SHOP, IssueFilter(), 2, cursor, order), SHOP
        )
        found += page.issues
        cursor = page.next_cursor
        if cursor is None:
            return found


def timeline_of(database: Database, issue: Issue) -> list[tuple[str, bool]]:
    entries = database.read_blocking(lambda t: issue_queries.list_timeline(t, issue))
    return [(entry.event_type.removeprefix("calmo.finding_"), entry.moved) for entry in entries]


def the_finding(database: Database) -> StoredFinding:
    [stored] = database.read_blocking(
        lambda t: queries.list_findings(t, SHOP, NO_PERSONS, FindingFilter(), 5)
    ).findings
    return stored


def test_the_tables_are_total() -> None:
    assert set(SEVERITY_OF_ISSUE) == set(FindingSeverity)
    assert set(STATUS_OF_ISSUE) == set(FindingState)
    assert set(EVENT_OF_ISSUE) == set(FindingEventKind)
    assert set(EVENT_OF_ISSUE.values()) <= OWN_EVENT_TYPES


async def test_a_gap_becomes_an_issue_that_closes_when_it_is_filled_and_reopens(
    database: Database, service: FindingService, connection: str, days: Iterator[int]
) -> None:
    gap = a_gap(severity=FindingSeverity.CRITICAL)
    for findings in ([gap], [gap], [], [], [gap]):
        await service.record(connection, a_result(*findings, now=next(days)))
    [issue] = issues_of(database)
    assert (issue.origin, issue.status, issue.severity) == ("finding", "triggered", "critical")
    assert issue.title == gap.title
    assert issue.escalation_policy is not None and issue.escalation_policy.id == "PSHOP"
    assert issue.url == SHOP_POLICY.html_url
    assert issue.expected_dropped == 0.42
    assert issue.created_at == datetime.fromtimestamp(NOON, UTC)
    assert issue.reopened_at == issue.last_event_at == datetime.fromtimestamp(NOON + 4 * DAY, UTC)
    assert timeline_of(database, issue) == [("opened", True), ("closed", True), ("reopened", True)]
    changes = database.read_blocking(lambda t: issue_queries.list_changes_after(t, SHOP, 0, 9))
    assert [(change.event_types[0], change.status) for change in changes] == [
        ("calmo.finding_opened", "triggered"),
        ("calmo.finding_closed", "resolved"),
        ("calmo.finding_reopened", "triggered"),
    ]
    stored = the_finding(database)
    assert (stored.issue_id, issue.finding_id) == (issue.ref.issue_id, stored.id)


async def test_a_finding_that_grows_into_a_gap_opens_its_issue_then(
    database: Database, service: FindingService, connection: str, days: Iterator[int]
) -> None:
    small = a_finding(severity=FindingSeverity.MEDIUM)
    await service.record(connection, a_result(small, now=next(days)))
    assert issues_of(database) == []
    await service.record(connection, a_result(a_gap(), now=next(days)))
    await service.record(connection, a_result(a_gap(expected=1.5), now=next(days)))
    [issue] = issues_of(database)
    assert timeline_of(database, issue) == [("opened", True)]
    assert issue.expected_dropped == 1.5


async def test_what_a_person_decides_stands_on_the_timeline(
    database: Database,
    service: FindingService,
    decisions: FindingDecisionService,
    connection: str,
    days: Iterator[int],
) -> None:
    await service.record(connection, a_result(a_gap(), now=next(days)))
    number = the_finding(database).id
    statuses = []
    for trigger, reason in (
        (Trigger.ACCEPT, None),
        (Trigger.ACCEPT, None),
        (Trigger.DISMISS, "the shop is closed"),
        (Trigger.UNDO, None),
    ):
        stored = await decisions.decide(KIM, number, trigger, reason)
        [issue] = issues_of(database)
        assert stored is not None
        statuses.append((stored.state, stored.decided_by, issue.status, issue.resolve_reason))
    assert statuses == [
        ("accepted", "kim", "acknowledged", None),
        ("accepted", "kim", "acknowledged", None),
        ("dismissed", "kim", "resolved", "the shop is closed"),
        ("new", None, "triggered", None),
    ]
    entries = database.read_blocking(lambda t: issue_queries.list_timeline(t, issue))
    assert [(entry.summary, entry.author) for entry in entries][1:] == [
        ("finding accepted by kim", "kim"),
        ("finding dismissed by kim: the shop is closed", "kim"),
        ("decision undone by kim", "kim"),
    ]


async def test_a_dismissed_gap_stays_closed_until_it_gets_worse(
    database: Database,
    service: FindingService,
    decisions: FindingDecisionService,
    connection: str,
    days: Iterator[int],
) -> None:
    await service.record(connection, a_result(a_gap(), now=next(days)))
    await decisions.decide(KIM, the_finding(database).id, Trigger.DISMISS, "closed on Sundays")
    for findings in ([a_gap()], [], [a_gap()]):
        await service.record(connection, a_result(*findings, now=next(days)))
    [issue] = issues_of(database)
    assert (issue.status, issue.resolve_reason) == ("resolved", "closed on Sundays")
    await service.record(connection, a_result(a_gap(severity=FindingSeverity.CRITICAL), now=next(days)))
    [issue] = issues_of(database)
    assert (issue.status, issue.severity, issue.resolve_reason) == ("triggered", "critical", None)


async def test_issues_come_by_expected_dropped_incidents_if_asked(
    database: Database, service: FindingService, connection: str
) -> None:
    gaps = [a_gap(key, expected) for key, expected in (("a", 0.2), ("b", None), ("c", 1.0), ("d", 0.2))]
    await service.record(connection, a_result(*gaps))
    ranked = [issue.expected_dropped for issue in issues_of(database, IssueOrder.EXPECTED_DROPPED)]
    assert ranked == [1.0, 0.2, 0.2, None]
    assert len(issues_of(database)) == 4
    page = database.read_blocking(lambda t: issue_queries.list_issues(t, SHOP, IssueFilter(), 2))
    with pytest.raises(InvalidCursor):
        database.read_blocking(
            lambda t: issue_queries.list_issues(
                t, SHOP, IssueFilter(), 2, page.next_cursor, IssueOrder.EXPECTED_DROPPED
            )
        )
    none = database.read_blocking(
        lambda t: issue_queries.list_issues(t, SHOP, IssueFilter(origins=("incident",)), 2)
    )
    assert none.issues == ()


async def test_what_concerns_pagerduty_leaves_the_issue_alone(
    database: Database, service: FindingService, connection: str
) -> None:
    await service.record(connection, a_result(a_gap()))
    [issue] = issues_of(database)
    targets = {"by_severity": {issue.severity: {"acknowledge_minutes": 5}}}
    other = IncidentRef(connection_id=connection, incident_id="Q1")
    long_ago, later = issue.created_at - timedelta(days=9), issue.created_at + timedelta(days=9)

    def read(t: Transaction) -> tuple[object, ...]:
        return (
            reconciliations.list_open_incidents(t, connection),
            issue_history_queries.list_other_open_issues(t, other),
            issue_history_queries.list_past_issues(t, other, long_ago, later),
            response_target_store.get_tracked_issue(t, issue.ref),
            response_target_store.get_response_times(t, [issue])[issue.ref.issue_id].targets,
        )

    with_targets = sa.update(tables.connections).values(response_targets=targets)
    database.write_blocking(lambda t: t.execute(with_targets))
    assert database.read_blocking(read) == ([], [], [], None, {})


async def test_what_is_about_persons_opens_no_issue_and_names_nobody(
    database: Database, service: FindingService, decisions: FindingDecisionService, connection: str
) -> None:
    told = a_gap("PANA", entities=(ANA, RETAIL), about_persons=True, title="Ana Lima bears too much")
    await service.record(connection, a_result(told))
    assert issues_of(database) == []
    stored = the_finding(database)
    hidden = finding_for(stored.finding, NO_PERSONS)
    assert not {"Ana", "Lima", "PANA"} & set(str(hidden).replace("'", " ").split())
    assert [entity.id for entity in hidden.entities] == ["PRETAIL"]
    assert finding_for(stored.finding, PersonVisibility(user_id="PANA")) == stored.finding
    with pytest.raises(FindingDecisionRefused, match="persons:read"):
        await decisions.decide(KIM, stored.id, Trigger.ACCEPT)

    def found(persons: PersonVisibility, entity: str) -> int:
        wanted = FindingFilter(entities=(entity,))
        page = database.read_blocking(lambda t: queries.list_findings(t, SHOP, persons, wanted, 5))
        return len(page.findings)

    assert found(NO_PERSONS, "PRETAIL") == found(PersonVisibility(user_id="PANA"), "PANA") == 1
    for entity in ("PANA", "~PANA", "PRETAIL|~PANA", "%PANA"):
        assert found(NO_PERSONS, entity) == 0


async def test_a_foreign_finding_is_decided_by_nobody(
    database: Database, service: FindingService, decisions: FindingDecisionService, connection: str
) -> None:
    await service.record(connection, a_result(a_gap()))
    stranger = Principal("x", KIM.permissions, Visibility((Scope.parse("organization:bank"),)), "x")
    number = the_finding(database).id
    assert await decisions.decide(stranger, number, Trigger.ACCEPT) is None
    assert await decisions.decide(KIM, number + 1, Trigger.ACCEPT) is None
    assert the_finding(database).state is FindingState.NEW


async def test_a_removed_connection_resolves_its_findings_and_closes_their_issues(
    database: Database, connection: str, service: FindingService, days: Iterator[int]
) -> None:
    now = next(days)
    await service.record(connection, a_result(a_gap(), a_finding("PANA", entities=(ANA,)), now=now))
    at = datetime.fromtimestamp(now, UTC) + timedelta(hours=1)

    def remove(tx: Transaction) -> int:
        connection_store.mark_removed(tx, connection, at)
        return issue_store.resolve_findings_of_removed(tx, connection, Scope.parse("organization:shop"), at)

    assert database.write_blocking(remove) == 2
    [issue] = issues_of(database)
    assert (issue.status, issue.resolve_reason, issue.resolved_at) == ("resolved", CONNECTION_REMOVED, at)
    assert timeline_of(database, issue)[-1] == ("closed", True)
    stored = database.read_blocking(lambda t: t.execute(sa.select(tables.findings)).all())
    assert {row.state for row in stored} == {"resolved"}
    events = database.read_blocking(lambda t: t.execute(sa.select(tables.finding_events)).all())
    assert [event.reason for event in events if event.kind == "resolved"] == [CONNECTION_REMOVED] * 2
    with pytest.raises(UnknownConnection):  # a run that was on its way opens nothing again
        await service.record(connection, a_result(a_gap(), now=next(days)))


async def test_an_issue_that_an_earlier_version_left_open_is_closed_without_its_finding(
    database: Database, connection: str, service: FindingService, days: Iterator[int]
) -> None:
    await service.record(connection, a_result(a_gap(), now=next(days)))
    at = datetime(2026, 6, 2, tzinfo=UTC)

    def leave(tx: Transaction) -> None:
        connection_store.mark_removed(tx, connection, at)
        tx.execute(sa.delete(tables.finding_events))
        tx.execute(sa.delete(tables.findings))

    database.write_blocking(leave)
    assert database.write_blocking(lambda t: issue_store.close_issues_of_removed(t, 9)) == 1
    assert database.write_blocking(lambda t: issue_store.close_issues_of_removed(t, 9)) == 0
    [issue] = issues_of(database)
    assert (issue.status, issue.resolve_reason, issue.resolved_at) == ("resolved", CONNECTION_REMOVED, at)
