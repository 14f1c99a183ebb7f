"""The page of an issue: what it shows at a glance, and who may do what about it."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.action_progress import Progress
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.dashboard.issue_forms import FORMS
from ingress.dashboard.looks import LOOK_OF_PROGRESS
from ingress.dashboard.pages.issue import SAID_OF_PROGRESS
from tests.support.browser import visiting
from tests.support.builders import a_reference, new_id
from tests.support.connected import WRITES_ON, add_connection
from tests.support.dashboard import DashboardSite
from tests.support.sample_context import store_context

HOSTILE = "<script>alert('x')</script> checkout"


@pytest.fixture(scope="module")
async def issue(site: DashboardSite) -> str:
    """An issue with a context, on a connection that may write; its neighbour's title is hostile."""
    connection = add_connection(site.database, site.doorway.keyring, "organization:acme", rules=WRITES_ON)
    webhook = site.webhook(connection_id=connection)
    await site.an_issue(webhook, HOSTILE, 90)
    ref = IncidentRef(connection_id=connection, incident_id=new_id())
    await site.an_issue(
        webhook,
        "Checkout API: error rate above 5 %",
        12,
        incident=ref.incident_id,
        number=4711,
        priority_name="P1",
        service=a_reference("service", "PCHECK0", "Checkout API"),
        assignees=[a_reference("user", "PUSER1", "Priya Raman")],
    )
    began = datetime.now(UTC) - timedelta(minutes=12)
    site.database.write_blocking(lambda t: store_context(t, ref))
    assert began
    return ref.issue_id


async def test_an_issue_and_its_forms_look_right(site: DashboardSite, issue: str, browser: Browser) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(site.a_key(person="PUSER1"), f"/dashboard/issues/{issue}")
        for details in ("factors-more", "services-more", "raw"):
            await visit.page.locator(f"#{details} > summary").click()
        await expect(visit.page.get_by_role("img", name="The services")).to_have_js_property("complete", True)
        tables = visit.page.locator("details:is(#factors-more, #services-more)")
        await expect(tables.get_by_role("link", name="CSV")).to_have_count(2)
        assert await visit.looks_wrong("issue") == []
        await visit.goto(f"/dashboard/issues/{issue}/act/resolve")
        assert await visit.looks_wrong("issue-resolve") == []


async def test_an_issue_s_page_stands_in_order_and_works_without_scripts(
    site: DashboardSite, issue: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        await visit.sign_in(site.a_key(person="PUSER1"), f"/dashboard/issues/{issue}")
        page = visit.page
        headings = [text.split("\n")[0] for text in await page.locator("h2:not(.hidden)").all_inner_texts()]
        assert [heading.split(" ")[0] for heading in headings[:6]] == [
            "What", "Last", "Impact", "Timeline", "Context", "Notes",
        ]  # fmt: skip
        await expect(page.get_by_text("Amara Okafor resolved it after 24 min")).to_be_visible()
        await expect(page.locator("#waiting")).to_contain_text("for Priya Raman to acknowledge it")
        acknowledge = page.get_by_role("button", name="Acknowledge")
        box = await acknowledge.bounding_box()
        assert box is not None and box["y"] > 800 and box["height"] >= 44
        await page.get_by_role("link", name="Resolve").click()
        await expect(page.get_by_role("button", name="Resolve #4711")).to_be_visible()
        await page.go_back()
        await page.get_by_role("link", name=HOSTILE).click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)


async def test_a_link_with_an_incident_s_id_leads_to_its_issue(site: DashboardSite) -> None:
    incident = await site.an_issue(site.webhook(), "Linked from PagerDuty", 2)
    session = await site.session(site.a_key())
    found = await session.get(f"/dashboard/incidents/{incident}")
    assert found.status_code == 303
    assert "Linked from PagerDuty" in (await session.get(found.headers["location"])).text
    assert "Linked from PagerDuty" in (await session.get(f"/dashboard/issues?text={incident}")).text
    unknown = await session.get("/dashboard/incidents/Q0NEVERCAME00")
    assert unknown.headers["location"] == "/dashboard/explain/Q0NEVERCAME00"
    reader = await site.session(site.a_key("issues:read", scopes=("organization:other",)))
    assert (await reader.get(f"/dashboard/incidents/{incident}")).status_code == 404


async def test_links_from_the_temporal_ui_lead_to_the_issue_and_to_the_incident_at_pagerduty(
    site: DashboardSite,
) -> None:
    webhook, there = site.webhook(), "https://acme.pagerduty.com/incidents/Q1"
    session = await site.session(site.a_key())
    for title, url, status in (("Told", there, 303), ("Not told", "https://elsewhere.example/", 404)):
        incident = await site.an_issue(webhook, title, 2, html_url=url)
        issue = (await session.get(f"/dashboard/incidents/{incident}")).headers["location"]
        answer = await session.get(f"{issue}/pagerduty")
        assert answer.status_code == status
        assert answer.headers.get("location") == (there if status == 303 else None)


async def test_who_may_not_act_reads_which_rule_says_no(site: DashboardSite, issue: str) -> None:
    reader = await site.session(site.a_key("issues:read"))
    page = (await reader.get(f"/dashboard/issues/{issue}")).text
    assert "this API key lacks the permission tools:write" in page
    assert "rule: key tools:write" in page
    assert "act/acknowledge" not in page
    assert "Raw deliveries" not in page
    answer = await reader.post(
        f"/dashboard/issues/{issue}/act/acknowledge", {"back": f"/dashboard/issues/{issue}"}
    )
    assert answer.status_code == 303
    said = (await reader.get(f"/dashboard/issues/{issue}")).text
    assert "Nothing was done" in said and "tools:write" in said


async def test_a_foreign_issue_its_picture_and_its_forms_are_not_there(
    site: DashboardSite, issue: str
) -> None:
    stranger = await site.session(site.a_key(scopes=("organization:other",)))
    for path in ("", "/pagerduty", "/dependencies.svg", "/context.md", "/act/resolve"):
        assert (await stranger.get(f"/dashboard/issues/{issue}{path}")).status_code == 404, path
    answer = await stranger.post(f"/dashboard/issues/{issue}/act/acknowledge")
    assert answer.status_code == 404


def test_every_action_has_a_form_and_every_progress_its_words() -> None:
    assert set(FORMS) == set(Action)
    assert set(SAID_OF_PROGRESS) == set(LOOK_OF_PROGRESS) == set(Progress)
