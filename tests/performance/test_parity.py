"""Our metrics beside those of the simulator's analytics endpoints, which compute them from another log."""

from collections.abc import AsyncIterator, Set as AbstractSet
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.performance.report import Group, Grouping, Question, Scope, performance_of
from calmo_pagerduty.snapshots.incident_parsing import parse_log_record, parse_raw_incident
from calmo_pagerduty.snapshots.model import AccountSnapshot, Section, SectionName, SectionState, Urgency
from calmo_pagerduty.snapshots.parsing import parse_all, parse_user
from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.history import generate_history
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest_api import build_rest_api
from tests.support.chance import repeatable
from tests.support.pasts import MOVES
from tests.support.rest_account import NOW

TOKEN = "u+simulatedtoken-0123456789"
UNTIL = int(NOW.timestamp())
SINCE = UNTIL - 21 * 86_400
BOUNDS = {"created_at_start": "2025-12-17T12:00:00Z", "created_at_end": "2026-01-07T12:00:00Z"}
#: The log does not tell who joined, nor which priority an incident had.
NOT_IN_THE_LOG = {"up_time_pct", "mean_seconds_to_mobilize"} | {
    f"{kind}_{name}"
    for kind in ("mean", "total")
    for name in ("engaged_seconds", "user_defined_engaged_seconds", "engaged_user_count")
}


class Analytics:
    """The simulated account over its REST API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        headers = {"Authorization": f"Token token={TOKEN}"}
        answer = await self._http.request(method, path, json=body, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def metrics(self, path: str, **filters: Any) -> list[dict[str, Any]]:
        body = {"filters": BOUNDS | filters, "time_zone": "Etc/UTC"}
        rows: list[dict[str, Any]] = (await self.ask("POST", f"/analytics/metrics/incidents/{path}", body))[
            "data"
        ]
        return rows

    async def snapshot(self) -> AccountSnapshot:
        """Read raw incidents and the log, as the reading of a snapshot does."""
        raw = await self.ask(
            "POST", "/analytics/raw/incidents", {"filters": BOUNDS, "time_zone": "Etc/UTC", "limit": 1000}
        )
        entries, offset = [], 0
        while True:
            page = await self.ask(
                "GET",
                "/log_entries",
                since=BOUNDS["created_at_start"],
                until="2026-01-08T00:00:00Z",
                limit=100,
                offset=offset,
            )
            entries += page["log_entries"]
            offset += len(page["log_entries"])
            if not page["more"]:
                break
        users = (await self.ask("GET", "/users", limit=100))["users"]
        records = [record for record in map(parse_log_record, entries) if record is not None]
        return AccountSnapshot(
            id="snap_parity",
            connection_id="con_parity",
            taken_at=UNTIL,
            rendered_since=SINCE,
            rendered_until=UNTIL,
            time_zone="Etc/UTC",
            sections=tuple(
                Section(name, SectionState.COMPLETE, UNTIL, 0, since=SINCE) for name in SectionName
            ),
            incidents=tuple(filter(None, map(parse_raw_incident, raw["data"]))),
            log_records=tuple(sorted(records, key=lambda record: record.at)),
            users=parse_all(parse_user, users),
        )


def an_eventful_past(account: Account, clock: ManualClock) -> None:
    """Many incidents, and some with all that may happen to them; a few stay open or unacknowledged."""
    generate_history(account, incidents=80, days=20, seed=3)
    rng = repeatable(3)
    for incident_id in rng.sample(account.incident_order, 40):
        for name in rng.sample(list(MOVES), 6):
            allowed, move = MOVES[name]
            if allowed(account.incident(incident_id)):
                move(account, incident_id, rng)


@pytest.fixture(scope="module")
async def analytics() -> AsyncIterator[Analytics]:
    clock = ManualClock(NOW - timedelta(seconds=1))
    account = furnished_shop(now=clock.now, seed=1)
    account.acts_by_itself = False
    an_eventful_past(account, clock)
    clock.advance(timedelta(seconds=1))
    site = AccountSite(account, clock=clock)
    site.add_token(TOKEN)
    site.limits.per_window = 1_000_000
    transport = httpx.ASGITransport(app=build_rest_api(site))
    async with httpx.AsyncClient(transport=transport, base_url="http://pagerduty.test") as http:
        yield Analytics(http)
    await site.aclose()


@pytest.fixture(scope="module")
async def snapshot(analytics: Analytics) -> AccountSnapshot:
    return await analytics.snapshot()


EVERYTHING = Scope()


def groups_of(
    snapshot: AccountSnapshot, grouping: Grouping, scope: Scope = EVERYTHING
) -> dict[str | None, Group]:
    question = Question(Span(SINCE, UNTIL), grouping, scope)
    return {group.id: group for group in performance_of(snapshot, UNTIL, question).groups if group.incidents}


def assert_same(
    ours: Group, theirs: dict[str, Any], without: AbstractSet[str] = frozenset(), seconds: int = 0
) -> None:
    """All metrics are the same; durations may differ by so many `seconds`."""
    names = {name for name in theirs if name.startswith(("mean_", "total_", "p"))} - without
    assert len(names) >= 15
    for name in names:
        slack = seconds if "seconds" in name else 0
        assert ours.pagerduty[name] == (
            None if theirs[name] is None else pytest.approx(theirs[name], abs=slack, rel=0)
        ), name
    if "up_time_pct" in theirs and "up_time_pct" not in without:
        # Their times have fractions of a second, which the raw rows don't give.
        assert ours.pagerduty["up_time_pct"] == pytest.approx(theirs["up_time_pct"], abs=0.001)


async def test_services_and_teams_have_pagerduty_s_own_metrics(
    analytics: Analytics, snapshot: AccountSnapshot
) -> None:
    for grouping, path, field in (
        (Grouping.SERVICE, "services", "service_id"),
        (Grouping.TEAM, "teams", "team_id"),
    ):
        theirs = {row[field]: row for row in await analytics.metrics(path)}
        ours = groups_of(snapshot, grouping)
        assert set(ours) == set(theirs)
        for id, row in theirs.items():
            assert_same(ours[id], row)


async def test_policies_have_pagerduty_s_own_metrics(analytics: Analytics, snapshot: AccountSnapshot) -> None:
    ours = groups_of(snapshot, Grouping.POLICY)
    assert len(ours) > 1
    for id, group in ours.items():
        [row] = await analytics.metrics("escalation_policies/all", escalation_policy_ids=[id])
        assert_same(group, row)


async def test_all_incidents_have_pagerduty_s_percentiles_also_of_one_urgency(
    analytics: Analytics, snapshot: AccountSnapshot
) -> None:
    [everything] = await analytics.metrics("all")
    assert_same(groups_of(snapshot, Grouping.ACCOUNT)[None], everything)
    assert everything["total_incidents_timeout_escalated"] or everything["total_incidents_manual_escalated"]
    assert everything["total_incident_count"] > everything["total_incidents_acknowledged"] > 0
    [high] = await analytics.metrics("all", urgency="high")
    assert_same(groups_of(snapshot, Grouping.ACCOUNT, Scope(urgency=Urgency.HIGH))[None], high)


async def test_the_log_alone_gives_the_same_metrics_but_for_who_joined_and_priorities(
    analytics: Analytics, snapshot: AccountSnapshot
) -> None:
    bare = replace(
        snapshot, incidents=tuple(replace(incident, measures=None) for incident in snapshot.incidents)
    )
    ours = groups_of(bare, Grouping.SERVICE)
    for row in await analytics.metrics("services"):
        group = ours[row["service_id"]]
        assert group.by_log == group.incidents
        assert_same(group, row, without=NOT_IN_THE_LOG, seconds=group.incidents)
        assert group.pagerduty["up_time_pct"] is None


async def test_without_log_and_analytics_what_is_unknown_is_no_zero(snapshot: AccountSnapshot) -> None:
    bare = replace(
        snapshot,
        incidents=tuple(replace(incident, measures=None) for incident in snapshot.incidents),
        sections=tuple(
            replace(section, state=SectionState.FORBIDDEN)
            if section.name is SectionName.LOG_ENTRIES
            else section
            for section in snapshot.sections
        ),
    )
    group = groups_of(bare, Grouping.ACCOUNT)[None]
    assert group.unmeasured == group.incidents
    assert group.pagerduty["total_interruptions"] is None
    assert group.pagerduty["mean_seconds_to_first_ack"] is None
    assert group.pagerduty["mean_seconds_to_resolve"] is not None
