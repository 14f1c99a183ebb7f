"""Recurring groups, misrouting and escalations, as a hand counts them; and who sees the persons."""

from pathlib import Path

import pytest

from calmo_pagerduty.contexts.facts import ResolutionText
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.patterns.document import patterns_document
from calmo_pagerduty.patterns.escalations import Way, team_escalations
from calmo_pagerduty.patterns.misrouting import misroutings
from calmo_pagerduty.patterns.past import past_of
from calmo_pagerduty.patterns.recurring import quantile, recurring_groups
from calmo_pagerduty.patterns.report import pattern_report
from calmo_pagerduty.snapshots.model import AccountSnapshot, LogKind, Policy, Service, Team
from ingress.commands.pattern_view import print_patterns
from tests.support.chance import repeatable
from tests.support.doors import make_key, open_doorway
from tests.support.past_incidents import PastWriter
from tests.support.snapshots import TAKEN_AT, small_snapshot, store_snapshot

POLICIES = (*small_snapshot().policies, Policy("POTHER", "Payments", None, (), team_ids=("PPAY",)))


def test_a_group_says_who_resolved_it_how_often_and_how_long_it_took() -> None:
    past = PastWriter()
    ids = [past.add(day * 1440, lasts, by=by) for day, (lasts, by) in enumerate(
        [(10, "PADA"), (20, "PBEN"), (30, "PADA"), (40, None)]
    )]  # fmt: skip
    past.add(9000, 5, by="PADA", kind="rare")
    [group] = recurring_groups(past_of(past.snapshot(), TAKEN_AT))
    assert (len(group.incidents), group.of, group.is_frequent, group.healed) == (4, 5, True, 1)
    assert group.resolvers == (("PADA", 2), ("PBEN", 1))
    assert (group.median, group.slow) == (20 * 60, 40 * 60)
    assert (group.pages, group.avoidable_pages) == (4, 3)
    known = {id: ResolutionText("Disk full", text) for id, text in zip(ids, ("a", "b", "b"), strict=False)}
    document = patterns_document(pattern_report(past.snapshot(), TAKEN_AT), lambda id: id == "PADA", known)
    [row] = document["recurring"]
    assert [who["name"] for who in row["resolved_by"]] == ["Ada"]
    assert (row["people"], row["title"]) == (2, "Disk full")
    assert row["resolutions"] == [{"text": "b", "incidents": 2}, {"text": "a", "incidents": 1}]


def test_quantiles_are_values_of_the_list() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0.25, 0.5, 0.9)] == [1, 2, 4]
    assert quantile([], 0.5) is None


def _routed(seed: int, share: float) -> PastWriter:
    rng, past = repeatable(seed), PastWriter()
    for number in range(30):
        handed = rng.random() < share
        minute = number * 1000
        id = past.add(minute, 60, by="PADA", pages=2, policy="POTHER" if handed else "PPOL")
        if handed:
            past.hand(id, minute + 10, "PADA", "PBEN", "POTHER")
    return past


def test_planted_misrouting_is_found_and_placebos_are_clean() -> None:
    found = [misroutings(past_of(_worlds(seed, 0.7), TAKEN_AT)) for seed in range(40)]
    clean = [misroutings(past_of(_worlds(seed, 0.1), TAKEN_AT)) for seed in range(40)]
    assert sum(bool(rows) and rows[0].policy.id == "POTHER" for rows in found) >= 36
    assert sum(not rows for rows in clean) >= 38


def _worlds(seed: int, share: float) -> AccountSnapshot:
    return _routed(seed, share).snapshot(policies=POLICIES)


def test_pages_before_the_handover_would_have_been_avoided() -> None:
    [row] = misroutings(past_of(_worlds(1, 1.0), TAKEN_AT))
    assert (len(row.handed), row.of, row.pages, row.median_seconds) == (30, 30, 60, 600)


def test_a_service_whose_policy_was_changed_is_not_misrouted() -> None:
    past = PastWriter()
    for number in range(30):
        past.add(number * 1000, 60, by="PADA", policy="POTHER")
    assert misroutings(past_of(past.snapshot(policies=POLICIES), TAKEN_AT)) == ()


def test_escalations_say_who_to_whom_how_often_and_after_how_long() -> None:
    past = PastWriter()
    for number, by_hand in enumerate((False, False, True, None)):
        id = past.add(number * 1000, 60, by="PBEN", acknowledged=False)
        at = past.begin + number * 60_000
        past.log(id, at, LogKind.ASSIGN, user_ids=("PADA",))
        if by_hand is not None:
            agent = "PADA" if by_hand else None
            past.log(id, at + 300 * (number + 1), LogKind.ESCALATE, user_ids=("PBEN",), agent_id=agent)
    service = Service("PSHOP", "Basket", None, "active", "PPOL", ("PTEAM",))
    snapshot = past.snapshot(service, teams=(Team("PTEAM", "Shop"), Team("PIDLE", "Idle")))
    [team] = team_escalations(past_of(snapshot, TAKEN_AT))
    assert (team.team.name, team.incidents, team.escalated) == ("Shop", 4, 3)
    assert team.ways == ((Way.TIMEOUT, 2, 300), (Way.BY_HAND, 1, 900))
    assert [(row.from_ids, row.to_ids, row.count) for row in team.passages] == [
        (("PADA",), ("PBEN",), 2),
        (("PADA",), ("PBEN",), 1),
    ]
    [hidden] = patterns_document(pattern_report(snapshot, TAKEN_AT))["escalations"]
    assert hidden["passages"] == [] and len(hidden["ways"]) == 2


async def test_rest_names_persons_to_whom_may_see_them_and_the_terminal_prints_it(
    database: Database, keyring: Keyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = PastWriter()
    for day in range(5):
        past.add(day * 1440, 10, by="PADA")
    connection = store_snapshot(database, past.snapshot()).connection_id
    path, asked = f"/api/connections/{connection}/patterns", {"now": "2026-06-01T12:00:00Z"}
    async with open_doorway(database, keyring, tmp_path) as doorway:
        answers = []
        for permissions in (["findings:read"], ["findings:read", "persons:read"]):
            key = make_key(database, permissions)
            answers.append((await doorway.client.get(path, params=asked, headers=key)).json())
        part = await doorway.client.get(path, params={**asked, "part": "noise"}, headers=key)
    named = [[who["name"] for who in answer["metrics"]["recurring"][0]["resolved_by"]] for answer in answers]
    assert named == [[], ["Ada"]]
    assert "noise" in part.json()["metrics"] and "recurring" not in part.json()["metrics"]
    print_patterns(answers[1])
    printed = capsys.readouterr().out
    for words in ("Recurring incidents", "Ada (5)", "Noise", "of your last 5"):
        assert words in printed
