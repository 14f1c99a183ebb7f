"""Stories across teams: planted ones are found with their reason, and what is unrelated stays apart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.patterns.stories import Reason, Story, StoryAccount, find_stories, parts_of
from calmo_pagerduty.snapshots.dependency_model import (
    Dependency,
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import Service, Team
from ingress.commands.pattern_view import print_stories
from tests.support.chance import repeatable
from tests.support.doors import ACME, make_key, open_doorway
from tests.support.past_incidents import PastWriter
from tests.support.snapshots import DAY, TAKEN_AT, store_snapshot

SERVICES = tuple(
    Service(f"P{name}", name, None, "active", "PPOL", (f"T{name}",)) for name in ("DB", "WEB", "PAY")
)
TEAMS = tuple(Team(f"T{name}", f"Team {name}") for name in ("DB", "WEB", "PAY"))


def account(past: PastWriter, id: str = "con_a", *edges: tuple[str, str]) -> StoryAccount:
    at = TAKEN_AT - 300 * DAY
    keys = {name: ServiceKey(ServiceKind.TECHNICAL, f"P{name}") for name in ("DB", "WEB", "PAY")}
    read = tuple(
        ServiceDependencies(
            keys[name],
            at,
            tuple(Dependency(keys[low], keys[high], at, at) for low, high in edges if name in (low, high)),
        )
        for name in sorted(keys)
    )
    snapshot = past.snapshot(*SERVICES, teams=TEAMS, dependencies=read)
    return StoryAccount(id, id, replace(snapshot, connection_id=id))


def stories(*accounts: StoryAccount) -> tuple[Story, ...]:
    window = Span(TAKEN_AT - 90 * DAY, TAKEN_AT)
    return find_stories(accounts, [part for item in accounts for part in parts_of(item, window)])


def cascade(*services: str) -> PastWriter:
    past = PastWriter()
    for number, name in enumerate(services):
        past.add(1000 + 2 * number, 60, by="PADA", service=f"P{name}")
    return past


def test_a_cascade_is_one_story_of_all_teams() -> None:
    [story] = stories(account(cascade("DB", "WEB", "PAY"), "con_a", ("DB", "WEB"), ("DB", "PAY")))
    assert [part.service.id for part in story.parts] == ["con_a/PDB", "con_a/PWEB", "con_a/PPAY"]
    assert story.teams == ("Team DB", "Team PAY", "Team WEB")
    assert {link.what for link in story.links if link.reason is Reason.DEPENDS} == {"DB"}


def test_a_common_upstream_without_an_incident_of_its_own_is_named() -> None:
    [story] = stories(account(cascade("WEB", "PAY"), "con_a", ("DB", "WEB"), ("DB", "PAY")))
    assert [(link.reason, link.what) for link in story.links] == [(Reason.COMMON_UPSTREAM, "DB")]


def test_a_change_that_touched_both_joins_them() -> None:
    past = cascade("WEB", "PAY")
    change = (past.begin + 990 * 60, "Certificates renewed", ("PWEB", "PPAY"))
    [story] = stories(replace(account(past), changes=(change,)))
    assert [(link.reason, link.what) for link in story.links] == [
        (Reason.SAME_CHANGE, "Certificates renewed")
    ]
    assert stories(replace(account(past), changes=((change[0], "Other", ("PWEB",)),))) == ()


def test_in_a_storm_all_incidents_are_one_story_with_its_reason() -> None:
    past = PastWriter()
    for number in range(200):
        past.add(1000 + number / 10, 60, by="PADA", service=("PWEB", "PPAY")[number % 2])
    [story] = stories(account(past, "con_a", ("DB", "WEB"), ("DB", "PAY")))
    assert len(story.parts) == 200
    assert {(link.reason, link.what) for link in story.links} == {(Reason.COMMON_UPSTREAM, "DB")}


def _two_accounts(seed: int, *, together: bool) -> tuple[Story, ...]:
    """Ten incidents in each of two accounts; the second's follow the first's within minutes, or not."""
    rng = repeatable(seed)
    left, right = PastWriter(), PastWriter()
    for _ in range(10):
        minute = rng.uniform(0, 110_000)
        left.add(minute, 60, by="PADA", service="PWEB")
        right.add(minute + 5 if together else rng.uniform(0, 110_000), 60, by="PADA", service="PPAY")
    for past in (left, right):
        past.incidents.sort(key=lambda incident: incident.created_at)
    return stories(account(left, "con_a"), account(right, "con_b"))


def test_accounts_that_fail_together_beyond_chance_share_stories_and_others_do_not() -> None:
    found = [_two_accounts(seed, together=True) for seed in range(20)]
    clean = [_two_accounts(seed, together=False) for seed in range(20)]
    assert sum(len(told) >= 9 and told[0].accounts == ("con_a", "con_b") for told in found) >= 18
    assert sum(not told for told in clean) >= 19


async def test_each_reader_sees_only_stories_of_their_own_accounts(
    database: Database, keyring: Keyring, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_snapshot(database, account(cascade("DB", "WEB"), "con_a", ("DB", "WEB")).snapshot)
    # The same happened at a stranger's at the same time, and is nobody's business.
    stranger = "organization:stranger"
    foreign = replace(account(cascade("DB", "PAY"), "con_b", ("DB", "PAY")).snapshot, id="snap_foreign")
    store_snapshot(database, foreign, stranger)
    begin = datetime.fromtimestamp(PastWriter.begin, UTC)
    asked = {"now": (begin + timedelta(days=1)).isoformat(), "hours": "24"}
    told = {}
    async with open_doorway(database, keyring, tmp_path) as doorway:
        for name, scope in (("mine", ACME), ("foreign", stranger), ("nobody", "organization:none")):
            key = make_key(database, ["findings:read"], (scope,))
            answer = await doorway.client.get("/api/stories", params=asked, headers=key)
            assert answer.status_code == 200, answer.text
            told[name] = answer.json()
    teams = {name: [story["teams"] for story in answer["stories"]] for name, answer in told.items()}
    assert teams == {
        "mine": [["Team DB", "Team WEB"]],
        "foreign": [["Team DB", "Team PAY"]],
        "nobody": [],
    }
    assert "PAY" not in str(told["mine"]) and "WEB" not in str(told["foreign"])
    print_stories(told["mine"])
    assert "one depends on the other: DB" in capsys.readouterr().out
