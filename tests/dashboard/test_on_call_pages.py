"""The on-call pages: schedules, policies, services and reports of an account's newest snapshot."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, FINDINGS_READ, ISSUES_READ
from calmo_pagerduty.oncall import store as oncall_store
from calmo_pagerduty.oncall.model import RunState, RunToStart
from calmo_pagerduty.snapshots.dependency_model import (
    BusinessService,
    Dependency,
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry, Schedule, ScheduleKind, User
from ingress.dashboard.pages.reports import ENDINGS, REPORTS
from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite
from tests.support.doors import ACME
from tests.support.snapshots import DAY, ada, ada_schedule, new_connection, small_snapshot, store_snapshot

PAGES = (
    "schedules",
    "schedules/PSCHED",
    "policies",
    "policies/PPOL?service=PSHOP",
    "services",
    "services/PSHOP",
    "services/map",
    "reports",
    "reports/workload",
    "analyses",
    "trends",
    "trends/patterns",
    "trends/PSHOP",
    "trends/capacity",
    "trends/performance?service=PSHOP",
)
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
    basket, buying = (
        ServiceKey(ServiceKind.TECHNICAL, "PSHOP"),
        ServiceKey(ServiceKind.BUSINESS, "PBUY"),
    )
    ben = User("PBEN", "Ben", None, "Asia/Tokyo", role="user", team_ids=("PTEAM",))
    return small_snapshot(
        taken_at=now - 3600,
        rendered_since=now - 35 * DAY,
        rendered_until=now + 92 * DAY,
        schedules=(shop, odd),
        users=(ada(), ben),
        business_services=(BusinessService("PBUY", HOSTILE),),
        dependencies=(ServiceDependencies(basket, now, (Dependency(basket, buying, now, now),)),),
    )


@pytest.fixture(scope="module")
def account(site: DashboardSite) -> AccountSnapshot:
    return store_snapshot(site.database, a_company())


@pytest.fixture(scope="module")
async def key(site: DashboardSite, account: AccountSnapshot) -> str:
    return site.a_key(person="PADA", scopes=(ACME,))


async def test_on_call_pages_look_right(site: DashboardSite, key: str, browser: Browser) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, then=None)
        for number, page in enumerate(PAGES):
            await visit.goto(f"/dashboard/{page}")
            name = page.partition("?")[0].replace("/", "-")
            assert await visit.looks_wrong(f"{name}-{number}") == [], page


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


async def test_a_plot_comes_as_a_file(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    for path in ("schedules", "schedules/PSCHED", "reports/workload"):
        page = (await session.get(f"/dashboard/{path}")).text
        link = re.search(r'href="([^"]*download=svg[^"]*)"', page)
        assert link is not None, path
        file = await session.get(unescape(link[1]))
        assert file.headers["content-type"] == "image/svg+xml"
        assert file.headers["content-disposition"].endswith('.svg"')
        assert file.text.startswith("<svg ") and "<style>" in file.text
    assert (await session.get("/dashboard/schedules?download=svg&figure=none")).status_code == 404


async def test_what_the_snapshot_does_not_have_is_not_found(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    for path in (
        "schedules?policy=PNONE",
        "schedules?connection=con_none",
        "schedules/PNONE",
        "policies/PNONE",
        "services/PNONE",
        "reports/none/file",
        "reports/account/file?format=exe",
    ):
        assert (await session.get(f"/dashboard/{path}")).status_code == 404, path


async def test_a_key_without_findings_sees_no_page(site: DashboardSite, account: AccountSnapshot) -> None:
    session = await site.session(site.a_key(ISSUES_READ))
    for path in ("schedules", "policies", "services", "reports", "analyses"):
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


async def test_while_the_first_analysis_runs_its_progress_is_shown_until_it_ends(
    site: DashboardSite, browser: Browser
) -> None:
    connection = new_connection(site.database, "organization:newest")
    begun = datetime.now(UTC)
    run = RunToStart(run_id="the-first", connection_id=connection)
    site.database.write_blocking(lambda t: oncall_store.insert_run(t, run, (), begun))
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(site.a_key(scopes=("organization:newest",)), "/dashboard/schedules")
        await expect(visit.page.get_by_text("0 of 0 lists are read")).to_be_visible()
        site.database.write_blocking(
            lambda t: oncall_store.update_run(t, run.run_id, state=RunState.FAILED, finished_at=begun)
        )
        await expect(visit.page.get_by_role("button", name="Start an analysis now")).to_be_visible()


async def test_an_incident_is_simulated_without_scripts(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=1280, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/policies")
        await visit.page.get_by_role("link", name="Shop", exact=True).click()
        await visit.page.get_by_role("button", name="Simulate").click()
        pages = visit.page.get_by_role("table", name="Pages of the simulated incident")
        await expect(pages.get_by_role("row").nth(1)).to_contain_text("Ada")


async def test_cover_is_suggested_for_a_time(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    times = {"since": f"{now:%Y-%m-%dT%H:%M}", "until": f"{now + timedelta(hours=3):%Y-%m-%dT%H:%M}"}
    page = await session.get(f"/dashboard/schedules/PSCHED?{urlencode({'user': 'PADA', **times})}")
    assert "Who could cover" in page.text and "Ben" in page.text
    wrong = await session.get(
        f"/dashboard/schedules/PSCHED?{urlencode({**times, 'user': 'PADA', 'until': times['since']})}"
    )
    assert "The end must be after the start." in wrong.text


@pytest.mark.parametrize("name", ["account", "digest", "workload", "working-time", "policy-review"])
async def test_a_report_comes_as_a_file_in_each_format(site: DashboardSite, key: str, name: str) -> None:
    session = await site.session(key)
    report = next(report for report in REPORTS if report.name == name)
    for fmt in report.formats:
        answer = await session.get(f"/dashboard/reports/{name}/file?format={fmt}")
        assert answer.status_code == 200, (fmt, answer.text)
        assert answer.headers["content-disposition"].endswith(f'.{ENDINGS[fmt]}"')
        assert HOSTILE not in answer.text or fmt != "html"


async def test_a_report_without_the_permission_for_persons_shows_teams(
    site: DashboardSite, account: AccountSnapshot
) -> None:
    session = await site.session(site.a_key(FINDINGS_READ, CONNECTIONS_READ, scopes=(ACME,)))
    page = (await session.get("/dashboard/reports/workload")).text
    assert "by team" in page and "Ben" not in page
