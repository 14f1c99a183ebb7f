"""Results are recorded once, and the inbox follows them, on both databases."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access.persons import ALL_PERSONS
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.findings import queries
from calmo_pagerduty.findings.codec import canonical_json, digest_of, result_document, result_from_document
from calmo_pagerduty.findings.lifecycle import FindingState, StoredFinding
from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, Evidence, FindingSeverity
from calmo_pagerduty.findings.queries import FindingFilter
from calmo_pagerduty.findings.service import FindingService, UnknownConnection
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility
from tests.support.connected import add_connection
from tests.support.findings import ANA, DAY, NOON, SHOP_POLICY, a_finding, a_gap, a_result

pytestmark = pytest.mark.each_database

SHOP = Visibility((Scope.parse("organization:shop"),))


@pytest.fixture
def connection(database: Database, keyring: Keyring) -> str:
    return add_connection(database, keyring, "organization:shop")


@pytest.fixture
def service(database: Database) -> FindingService:
    return FindingService(database)


def listed(
    database: Database, visibility: Visibility = EVERYTHING, **wanted: tuple[str, ...]
) -> list[StoredFinding]:
    """Return the findings, page by page, each page of two."""
    found: list[StoredFinding] = []
    after = None
    while True:
        page = database.read_blocking(
            lambda t: queries.list_findings(t, visibility, ALL_PERSONS, FindingFilter(**wanted), 2, after),
            visibility,
        )
        found += page.findings
        after = page.next
        if after is None:
            return found


def history(database: Database, finding_id: int) -> list[tuple[str, str, str | None]]:
    events = database.read_blocking(lambda t: queries.list_events(t, [finding_id]))[finding_id]
    return [(event.kind, event.state, event.reason) for event in events]


def kept(database: Database) -> dict[str, list[str]]:
    names = ("findings", "finding_events", "analysis_results", "issues", "timeline", "issue_changes")
    return database.read_blocking(
        lambda t: {
            name: sorted(map(repr, t.execute(sa.select(tables.metadata.tables[name])))) for name in names
        }
    )


async def test_a_finding_lives_from_new_to_resolved_and_returns(
    database: Database, service: FindingService, connection: str
) -> None:
    days = iter(range(1, 9))

    async def run(*severities: FindingSeverity) -> None:
        findings = [a_finding(severity=severity) for severity in severities]
        await service.record(connection, a_result(*findings, now=NOON + next(days) * DAY))

    await run(FindingSeverity.MEDIUM)
    await run(FindingSeverity.MEDIUM)
    await run(FindingSeverity.HIGH)
    await run()
    await run()
    await run(FindingSeverity.HIGH)
    [stored] = listed(database)
    assert stored.state is FindingState.RETURNED
    assert stored.first_seen_at == datetime.fromtimestamp(NOON + DAY, UTC)
    assert stored.last_seen_at == stored.changed_at == datetime.fromtimestamp(NOON + 6 * DAY, UTC)
    assert [(kind, state) for kind, state, _ in history(database, stored.id)] == [
        ("found", "new"),
        ("worsened", "new"),
        ("resolved", "resolved"),
        ("returned", "returned"),
    ]


async def test_the_same_result_twice_changes_nothing(
    database: Database, service: FindingService, connection: str
) -> None:
    result = a_result(a_gap(), a_finding("PBANK"))
    [first] = await service.record(connection, result)
    before = kept(database)
    [second] = await service.record(connection, result)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.counts == {"found": 2}
    assert (second.result_id, second.digest, second.counts) == (first.result_id, first.digest, {})
    assert kept(database) == before


async def test_results_recorded_at_once_leave_one_finding(
    database: Database, service: FindingService, connection: str
) -> None:
    results = [a_result(a_gap(), now=NOON + number) for number in range(5)]
    await asyncio.gather(*(service.record(connection, result) for result in results))
    [stored] = listed(database)
    assert history(database, stored.id) == [("found", "new", None)]


async def test_an_earlier_result_is_kept_and_moves_nothing(
    database: Database, service: FindingService, connection: str
) -> None:
    await service.record(connection, a_result(a_finding(), now=NOON))
    [late] = await service.record(connection, a_result(now=NOON - DAY))
    assert (late.is_new, late.is_current, late.counts) == (True, False, {})
    [stored] = listed(database)
    assert stored.state is FindingState.NEW


async def test_a_result_for_the_future_is_kept_and_moves_nothing(
    database: Database, service: FindingService, connection: str
) -> None:
    far = int(datetime.now(UTC).timestamp()) + 3 * DAY
    [asked] = await service.record(connection, a_result(a_finding(), now=far))
    assert not asked.is_current
    assert listed(database) == []
    [present] = await service.record(connection, a_result(a_finding(), now=NOON))
    assert present.is_current


async def test_a_truncated_run_resolves_nothing(
    database: Database, service: FindingService, connection: str
) -> None:
    await service.record(connection, a_result(a_finding(), now=NOON))
    unsure = AnalysisInputs(counts={}, fetched_at=NOON, missing_permissions=("schedules",))
    await service.record(connection, a_result(now=NOON + DAY, inputs=unsure))
    [stored] = listed(database)
    assert stored.state is FindingState.NEW
    await service.record(connection, a_result(now=NOON + 2 * DAY))
    assert [finding.state for finding in listed(database)] == [FindingState.RESOLVED]


async def test_an_analysis_resolves_only_its_own_findings_of_its_own_connection(
    database: Database, service: FindingService, connection: str, keyring: Keyring
) -> None:
    other = add_connection(database, keyring, "organization:bank")
    for connection_id, analysis in ((connection, "coverage"), (connection, "lint"), (other, "coverage")):
        await service.record(connection_id, a_result(a_finding(), analysis=analysis))
    await service.record(connection, a_result(now=NOON + DAY))
    states = {(stored.connection_id, stored.analysis): stored.state for stored in listed(database)}
    assert states == {
        (connection, "coverage"): FindingState.RESOLVED,
        (connection, "lint"): FindingState.NEW,
        (other, "coverage"): FindingState.NEW,
    }


async def test_all_results_of_a_run_are_recorded_or_none(
    database: Database, service: FindingService, connection: str
) -> None:
    broken = a_result(a_finding(evidence=(Evidence("x", {"a": object()}),)), analysis="lint")
    with pytest.raises(TypeError):
        await service.record(connection, a_result(a_finding()), broken)
    assert listed(database) == []
    with pytest.raises(UnknownConnection):
        await service.record("con_none", a_result())


async def test_the_worst_comes_first_and_pages_lose_nothing(
    database: Database, service: FindingService, connection: str
) -> None:
    findings = [
        a_gap("a", None, severity=FindingSeverity.HIGH),
        a_gap("b", 0.1, severity=FindingSeverity.HIGH),
        a_gap("c", 0.7, severity=FindingSeverity.HIGH),
        a_gap("d", 0.1, severity=FindingSeverity.HIGH),
        a_gap("e", 0.0, severity=FindingSeverity.CRITICAL),
        a_finding("f", severity=FindingSeverity.INFO),
        a_finding("g", severity=FindingSeverity.LOW),
    ]
    await service.record(connection, a_result(*findings))
    assert [stored.finding.key for stored in listed(database)] == list("ecbdagf")


async def test_findings_are_filtered(database: Database, service: FindingService, connection: str) -> None:
    await service.record(connection, a_result(a_gap("a"), a_finding("b", code="cliff", entities=(ANA,))))
    await service.record(connection, a_result(a_gap("a"), now=NOON + DAY))

    def keys(**wanted: tuple[str, ...]) -> list[str]:
        return [stored.finding.key for stored in listed(database, EVERYTHING, **wanted)]

    assert keys() == ["a", "b"]
    assert keys(states=("resolved",)) == ["b"]
    assert keys(severities=("high",)) == ["a", "b"]
    assert keys(codes=("cliff",)) == ["b"]
    assert keys(entities=("PSHOP", "PNOBODY")) == ["a"]
    assert keys(entities=("P_HOP",)) == keys(entities=("%",)) == []
    assert keys(connections=("con_other",)) == keys(analyses=("lint",)) == []


async def test_a_foreign_finding_is_not_there(
    database: Database, service: FindingService, connection: str
) -> None:
    await service.record(connection, a_result(a_gap()))
    [stored] = listed(database, SHOP)
    bank = Visibility((Scope.parse("organization:bank"),))
    assert listed(database, bank) == []
    for visibility, found in ((SHOP, True), (bank, False)):
        finding = database.read_blocking(lambda t: queries.get_finding(t, visibility, stored.id))
        assert (finding is not None) is found
        results = database.read_blocking(lambda t: queries.list_newest_results(t, visibility, connection))
        assert bool(results) is found


async def test_the_stored_result_is_the_one_that_was_recorded(
    database: Database, service: FindingService, connection: str
) -> None:
    result = a_result(a_gap(), a_finding("PANA", entities=(ANA, SHOP_POLICY), about_persons=True))
    [recorded] = await service.record(connection, result)
    [stored] = database.read_blocking(lambda t: queries.list_newest_results(t, SHOP, connection))
    assert stored.result == result
    assert stored.digest == recorded.digest == digest_of(canonical_json(result_document(result)))


async def test_the_newest_result_of_each_analysis_is_found(
    database: Database, service: FindingService, connection: str
) -> None:
    for number in (0, 2, 1):
        await service.record(connection, a_result(now=NOON + number * DAY))
    await service.record(connection, a_result(now=NOON, analysis="lint"))

    def newest(until: int | None = None) -> dict[str, int]:
        at_most = None if until is None else datetime.fromtimestamp(until, UTC)
        results = database.read_blocking(lambda t: queries.list_newest_results(t, SHOP, connection, at_most))
        return {stored.result.analysis: stored.result.now for stored in results}

    assert newest() == {"coverage": NOON + 2 * DAY, "lint": NOON}
    assert newest(NOON + DAY) == {"coverage": NOON + DAY, "lint": NOON}


@pytest.mark.parametrize("text", ["a\x00b", "lone \ud800 surrogate", "x" * 30_000, "</script>", "é"])
async def test_hostile_texts_and_numbers_are_stored(
    database: Database, service: FindingService, connection: str, text: str
) -> None:
    evidence = (Evidence(text, {text[:50]: float("nan"), "infinite": float("inf")}),)
    await service.record(connection, a_result(a_finding(title=text, evidence=evidence)))
    [stored] = listed(database)
    assert "\x00" not in stored.finding.title
    assert set(stored.finding.evidence[0].data.values()) == {None}


def test_a_result_survives_its_json_and_keeps_its_bytes() -> None:
    result: AnalysisResult = a_result(a_gap(), a_finding("x", about_persons=True))
    text = canonical_json(result_document(result))
    again = result_from_document(json.loads(text))
    assert again == result
    assert canonical_json(result_document(again)) == text
