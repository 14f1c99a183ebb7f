"""Pages that plan: what if, optimising, absences, cover and drills, each story walked once."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.permissions import FINDINGS_READ
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.escalation.drill import DrillState
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.rendering import render
from calmo_pagerduty.snapshots.model import AccountSnapshot, Layer, Schedule, ScheduleKind, User
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite
from tests.support.doors import ACME
from tests.support.snapshots import DAY, ada, small_snapshot, store_snapshot

NAMES = {"PBEN": "Ben", "PCAT": "Cat", "PDAN": "Dan", "PEVE": "Eve"}
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:{start}\r\nDTEND:{end}\r\n"
    "SUMMARY:Vacation: knee surgery\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def a_rota() -> AccountSnapshot:
    """Five people take turns by day on one schedule, whose entries PagerDuty rendered as we do."""
    now = int(time.time()) // 3600 * 3600
    window = Span(now - 35 * DAY, now + 92 * DAY)
    start = window.start - 7 * DAY
    layer = Layer("L1", "Daily", start, None, start, DAY, ("PADA", "PBEN", "PCAT", "PDAN", "PEVE"))
    plain = Schedule("PSCHED", "Shop", None, ScheduleKind.LAYERS, "Etc/UTC", layers=(layer,), version="v1")
    people = tuple(User(key, name, None, "Etc/UTC", role="user") for key, name in NAMES.items())
    return small_snapshot(
        taken_at=now - 3600,
        rendered_since=window.start,
        rendered_until=window.end,
        schedules=(replace(plain, entries=render(plain, window)),),
        users=(ada(), *people),
    )


@pytest.fixture(scope="module")
def account(site: DashboardSite) -> AccountSnapshot:
    return store_snapshot(site.database, a_rota())


@pytest.fixture(scope="module")
def key(site: DashboardSite, account: AccountSnapshot) -> str:
    return site.a_key(person="PADA", scopes=(ACME,))


def at(days: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M}"


def shift_of_ada(account: AccountSnapshot) -> tuple[str, str]:
    """Return Ada's first shift that begins in a day or later, in her own time."""
    entries = account.schedules[0].entries or ()
    shift = next(
        entry for entry in entries if entry.user_id == "PADA" and entry.start > account.taken_at + 2 * DAY
    )
    zone = ZoneInfo("Europe/Berlin")
    start, end = (f"{datetime.fromtimestamp(at, zone):%Y-%m-%dT%H:%M}" for at in (shift.start, shift.end))
    return start, end


async def test_a_change_is_asked_for_kept_and_compared(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        page = visit.page
        await visit.sign_in(key, "/dashboard/schedules")
        await page.get_by_role("link", name="What if").click()
        await page.get_by_label("Who").select_option("Ben")
        await page.get_by_label("Leaves").fill(at(2))
        await page.get_by_role("button", name="What would happen?").click()
        people = page.get_by_role("table", name="People whose time on call changes")
        await expect(people.get_by_role("row", name="Ben")).to_contain_text("→")
        await expect(page.get_by_label("Name")).to_have_value("Somebody leaves: Ben")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="Somebody leaves: Ben")).to_be_visible()
        await expect(page.get_by_text("the same to the byte")).to_be_visible()
    session = await site.session(key)
    assert (
        await session.post("/dashboard/schedules/what-if", {**a_holiday(), "scenario_name": "Feast"})
    ).status_code == 303
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, "/dashboard/schedules/what-if")
        for box in await visit.page.get_by_role("checkbox").all():
            await box.check()
        await visit.page.get_by_role("button", name="Compare").click()
        await expect(visit.page.get_by_role("table", name="Side by side").get_by_role("row")).to_have_count(3)
        assert await visit.looks_wrong("comparison-1280") == []


def a_holiday() -> dict[str, str]:
    return {"kind": "holiday", "day": f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}", "closed": "PSCHED"}


async def test_what_makes_no_sense_is_said_beside_the_form(site: DashboardSite, key: str) -> None:
    session = await site.session(key)
    for asked, words in (
        ({"kind": "joiner", "schedule": "PSCHED", "at": at(3)}, ">user: give either user or new_user<"),
        ({"kind": "policy", "policy": "PPOL", "level": "x"}, ">level: Input should be a valid integer"),
        ({"kind": "clock_change", "window_days": "900"}, ">days: Input should be less than or equal to 90<"),
        ({"kind": "holiday", "day": at(3)[:10]}, "What it would do"),
    ):
        page = await session.get(f"/dashboard/schedules/what-if?{urlencode({**asked, 'ask': 'yes'})}")
        assert page.status_code == 200 and words in page.text, asked


async def test_a_plan_is_found_with_its_prices_and_proposed(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        page = visit.page
        await visit.sign_in(key, "/dashboard/schedules/optimise")
        await page.get_by_label("Schedule", exact=True).select_option("Shop")
        await page.get_by_label("Shifts of the coming days").fill("9")
        await page.get_by_text("Wishes", exact=True).click()
        wishes = page.get_by_role("group", name="Wishes, 1")
        await wishes.get_by_label("Who").select_option("Ben")
        await wishes.get_by_label("From").fill(at(0))
        await wishes.get_by_label("Until").fill(at(9))
        await wishes.get_by_label("Price").fill("1")
        await page.get_by_role("button", name="Find the best plans").click()
        plans = page.get_by_role("table", name="Plans")
        await expect(plans.get_by_role("row", name="Best roster")).to_contain_text("points")
    session = await site.session(key)
    asked = {"ask": "yes", "schedule": "PSCHED", "days": "9", "min_rest_hours": "200"}
    impossible = (await session.get(f"/dashboard/schedules/optimise?{urlencode(asked)}")).text
    assert "No roster is possible" in impossible and "needs rest" in impossible


async def test_a_draft_and_an_accepted_cover_wait_for_an_approval_of_exactly_them(
    site: DashboardSite,
) -> None:
    gated = store_snapshot(site.database, a_rota(), "organization:gate")
    rules = ConnectionRules(switches={"risk:high": Switch.ALLOW}, approve=frozenset({Risk.HIGH}))
    site.database.write_blocking(lambda tx: connections.update_rules(tx, gated.connection_id, rules))
    session = await site.session(site.a_key(scopes=("organization:gate",)))
    asked = urlencode(
        {"kind": "time_off", "user": "PBEN", "start": at(1), "end": at(9), "cover": "PCAT", "ask": "yes"}
    )
    page = (await session.get(f"/dashboard/schedules/what-if?{asked}")).text
    [arguments] = re.findall(r'name="arguments" value="([^"]*)"', page)
    sent = {
        "connection": gated.connection_id,
        "arguments": unescape(arguments),
        "back": "/dashboard/approvals",
    }
    proposed = await session.post("/dashboard/schedules/propose", {**sent, "tool": "apply_schedule_draft"})
    assert proposed.headers["location"] == "/dashboard/approvals"
    approvals = (await session.get("/dashboard/approvals")).text
    assert "the call is stored" in approvals
    [call] = re.findall(r"/dashboard/approvals/(tc_\w+)", approvals)
    assert (
        json.loads(unescape(arguments))["version"] in (await session.get(f"/dashboard/approvals/{call}")).text
    )
    await session.post("/dashboard/schedules/propose", {**sent, "tool": "create_incident"})
    assert "takes no draft" in (await session.get("/dashboard/approvals")).text
    since, until = shift_of_ada(gated)
    wanted = {"connection": gated.connection_id, "schedule": "PSCHED", "user": "PADA"}
    asked_for = await session.post("/dashboard/schedules/cover", {**wanted, "since": since, "until": until})
    path = asked_for.headers["location"]
    await session.post(f"{path}/answer", {"answer": "accept", "user": "PDAN"})
    accepted = (await session.get(path)).text
    assert "The schedule changes when another person approves" in accepted and "Dan" in accepted


async def test_a_calendar_is_imported_as_a_file_and_removed(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    now = datetime.now(UTC)
    text = CALENDAR.format(start=f"{now:%Y%m%dT%H%M%SZ}", end=f"{now + timedelta(days=5):%Y%m%dT%H%M%SZ}")
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        page = visit.page
        await visit.sign_in(key, "/dashboard/schedules/absences")
        await page.get_by_label("Whose", exact=True).select_option("Ben")
        file = {"name": "ben.ics", "mimeType": "text/calendar", "buffer": text.encode()}
        await page.get_by_label("Calendar file").set_input_files(file)  # type: ignore[arg-type] # Playwright's TypedDict
        await page.get_by_role("button", name="Import").click()
        calendars = page.get_by_role("table", name="Calendars")
        await expect(calendars.get_by_role("row", name="Ben")).to_contain_text("to")
        assert "knee" not in await page.content()
        await visit.screenshot("absences-imported-360")
        await calendars.get_by_role("button", name="Remove").click()
        await expect(page.get_by_text("Removed: nothing of the calendar is kept.")).to_be_visible()
    session = await site.session(key)
    refused = await session.post("/dashboard/schedules/absences", {"user": "PBEN", "text": "x" * 1_200_000})
    assert refused.status_code == 413


async def test_cover_is_asked_for_and_answered(
    site: DashboardSite, account: AccountSnapshot, key: str, browser: Browser
) -> None:
    start, end = shift_of_ada(account)
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        page = visit.page
        await visit.sign_in(key, "/dashboard/schedules/cover")
        await page.get_by_label("Schedule", exact=True).select_option("Shop")
        await page.get_by_label("From").fill(start)
        await page.get_by_label("Until").fill(end)
        await page.get_by_role("button", name="Suggest").click()
        await expect(page.get_by_role("table", name="Who could cover")).to_be_visible()
        await visit.screenshot("cover-suggestion-360")
        await page.get_by_role("button", name="Ask everybody").click()
        await expect(page.get_by_role("heading", name="Cover for Ada")).to_be_visible()
        await visit.screenshot("cover-request-360")
        await expect(page.get_by_text("You may not accept")).to_be_visible()
        await page.get_by_role("button", name="Withdraw").click()
        await expect(page.get_by_text("Withdrawn: nobody is asked any more.")).to_be_visible()


def add_drills(site: DashboardSite, account: AccountSnapshot, key: str) -> None:
    """Name the service for drills with this key's rights, and keep one drill that found a difference."""
    key_id, asked = api_keys.parse_key_id(key), datetime.now(UTC) - timedelta(hours=3)
    page = {
        "verdict": "missing", "person": {"id": "PADA", "name": "Ada"}, "channel": "sms", "level": 1,
        "expected_after_minutes": 0.0, "seen_after_minutes": None,
    }  # fmt: skip
    report = {
        "expected_pages": 1, "seen_pages": 0, "pages": [page], "notes": [],
        "differences": ["Ada was not paged by SMS after 0 min, on level 1."],
    }  # fmt: skip
    drill = Drill(
        "drill_1", account.connection_id, "PSHOP", key_id, DrillState.DONE, "calmo-drill-1", 300, asked,
        "PINC", asked, asked, None, asked, asked + timedelta(minutes=6), report,
    )  # fmt: skip
    named = DrillService("PSHOP", key_id, asked, 30)

    def insert(tx: Transaction) -> None:
        drills.upsert_drill_service(tx, account.connection_id, named)
        drills.insert_drill(tx, drill)

    site.database.write_blocking(insert)


async def test_drills_say_what_differed_and_why_none_may_be_held(
    site: DashboardSite, account: AccountSnapshot, key: str
) -> None:
    add_drills(site, account, key)
    session = await site.session(key)
    page = (await session.get("/dashboard/policies/drills")).text
    assert "You may hold none: a drill must be able to open its incident" in page
    assert "Ada was not paged by SMS" in page
    shown = (await session.get("/dashboard/policies/drills/drill_1")).text
    assert "Not sent" in shown and "Cancel the drill" not in shown
    refused = {"service": "PSHOP", "connection": account.connection_id, "back": "/dashboard/policies/drills"}
    assert (await session.post("/dashboard/policies/drills", refused)).status_code == 303
    assert "Nothing was done: a drill must" in (await session.get("/dashboard/policies/drills")).text


async def test_planning_pages_look_right(
    site: DashboardSite, account: AccountSnapshot, key: str, browser: Browser
) -> None:
    add_drills(site, account, key)
    start, end = shift_of_ada(account)
    moments = urlencode({"user": "PADA", "schedule": "PSCHED", "since": start, "until": end})
    asked = urlencode(
        {
            "ask": "yes",
            "schedule": "PSCHED",
            "days": "9",
            "away.user": "PBEN",
            "away.start": at(0),
            "away.end": at(9),
            "wishes.user": "PCAT",
            "wishes.start": at(0),
            "wishes.end": at(9),
            "wishes.price": "2",
            "wishes.wants": "no",
        }
    )
    pages = {
        "what-if": "schedules/what-if?"
        + urlencode({"kind": "leaver", "user": "PBEN", "at": at(2), "ask": "yes"}),
        "new-rotation": "schedules/what-if?kind=new_rotation",
        "optimise": f"schedules/optimise?{asked}",
        "absences": "schedules/absences",
        "cover": f"schedules/cover?{moments}",
        "drills": "policies/drills",
        "drill": "policies/drills/drill_1",
    }
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, then=None)
        for name, path in pages.items():
            await visit.goto(f"/dashboard/{path}")
            assert await visit.looks_wrong(name) == [], path


async def test_reading_does_not_suffice_to_change_anything(
    site: DashboardSite, account: AccountSnapshot
) -> None:
    reader = await site.session(site.a_key(FINDINGS_READ, scopes=(ACME,)))
    for path in ("what-if", "optimise", "absences", "cover"):
        assert (await reader.get(f"/dashboard/schedules/{path}")).status_code == 200, path
    for path in (
        "schedules/what-if",
        "schedules/propose",
        "schedules/absences",
        "schedules/cover",
        "policies/drills",
        "policies/drills/services",
        "policies/drills/drill_1/cancel",
    ):
        assert (await reader.post(f"/dashboard/{path}", token="x")).status_code == 403, path
    stranger = await site.session(site.a_key(scopes=("organization:other",)))
    assert (
        await stranger.get(f"/dashboard/policies/drills/drill_1?connection={account.connection_id}")
    ).status_code == 404
