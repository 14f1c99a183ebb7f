"""The on-call pages: schedules, policies, services and reports of an account's newest snapshot."""

import time
from dataclasses import replace

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.access.permissions import FINDINGS_READ, ISSUES_READ
from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry, Schedule, ScheduleKind, User
from tests.support.browser import WIDTHS, visiting
from tests.support.dashboard import DashboardSite
from tests.support.snapshots import DAY, ada, ada_schedule, new_connection, small_snapshot, store_snapshot

PAGES = ("schedules", "schedules?period=month&time_zone=Asia/Tokyo", "analyses")
HOSTILE = "<img src=x onerror=alert(1)>"


def a_company() -> AccountSnapshot:
    """Ada and Ben take turns by day; nobody has Friday, and one schedule has a hostile name."""
    now = int(time.time()) // 3600 * 3600
    since = now - 2 * DAY
    turns = tuple(
        Entry(since + day * DAY, since + (day + 1) * DAY, ("PADA", "PBEN")[day % 2])
        for day in range(40)
        if day % 7 != 5
    )
    shop = replace(ada_schedule(), entries=turns, team_ids=("PTEAM",))
    odd = Schedule("PODD", HOSTILE, None, ScheduleKind.LAYERS, "Asia/Tokyo", entries=())
    ben = User("PBEN", "Ben", None, "Asia/Tokyo", role="user", team_ids=("PTEAM",))
    return small_snapshot(
        taken_at=now - 3600,
        rendered_since=now - 35 * DAY,
        rendered_until=now + 92 * DAY,
        schedules=(shop, odd),
        users=(ada(), ben),
    )


@pytest.fixture(scope="module")
def account(site: DashboardSite) -> AccountSnapshot:
    return store_snapshot(site.database, a_company())


@pytest.fixture(scope="module")
async def key(site: DashboardSite, account: AccountSnapshot) -> str:
    return site.a_key(person="PADA")


@pytest.mark.parametrize("width", WIDTHS)
async def test_on_call_pages_look_right(site: DashboardSite, key: str, browser: Browser, width: int) -> None:
    async with visiting(browser, site.address, width=width) as visit:
        await visit.sign_in(key)
        for number, page in enumerate(PAGES):
            await visit.goto(f"/dashboard/{page}")
            name = page.partition("?")[0].replace("/", "-")
            assert await visit.looks_wrong(f"{name}-{number}-{width}") == [], page


async def test_the_schedules_say_who_is_on_call_in_words(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/schedules")
        table = visit.page.get_by_role("table", name="On call now and next")
        await expect(table.get_by_role("row", name="Shop")).to_contain_text("Ada")
        await expect(table.get_by_role("row", name=HOSTILE)).to_contain_text("nobody")
        await visit.page.get_by_label("Team").select_option("Shop")
        await visit.page.get_by_role("button", name="Show").click()
        await expect(table.get_by_role("row")).to_have_count(2)


async def test_the_grid_and_its_table_say_the_same(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    page = (await session.get("/dashboard/schedules")).text
    assert "nobody 1 d" in page and HOSTILE not in page
    shifts = (await session.get("/dashboard/schedules?download=csv&table=shifts")).text
    assert "Shop,nobody," in shifts


async def test_what_the_snapshot_does_not_have_is_not_found(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    for path in ("schedules?policy=PNONE", "schedules?connection=con_none"):
        assert (await session.get(f"/dashboard/{path}")).status_code == 404, path


async def test_a_key_without_findings_sees_no_page(site: DashboardSite, account: AccountSnapshot) -> None:
    session = await site.session(site.a_key(ISSUES_READ))
    for path in ("schedules", "analyses"):
        assert (await session.get(f"/dashboard/{path}")).status_code == 403, path


async def test_a_stranger_does_not_see_the_account(site: DashboardSite, account: AccountSnapshot) -> None:
    foreign = await site.session(site.a_key(scopes=("organization:other",)))
    assert "No account is connected" in (await foreign.get("/dashboard/schedules")).text
    path = f"/dashboard/schedules?connection={account.connection_id}"
    assert (await foreign.get(path)).status_code == 404


async def test_without_a_snapshot_an_analysis_is_offered(site: DashboardSite) -> None:
    connection = new_connection(site.database, "organization:new")
    session = await site.session(site.a_key(scopes=("organization:new",)))
    assert "Start an analysis now" in (await session.get("/dashboard/schedules")).text
    reader = await site.session(site.a_key(FINDINGS_READ, scopes=("organization:new",)))
    assert "needs the permission findings:write" in (await reader.get("/dashboard/schedules")).text
    assert connection in (await session.get("/dashboard/analyses")).text
