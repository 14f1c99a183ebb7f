"""The pages of tools and approvals: what may be called, a read that is tried, a call that is decided."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.tool_calls.model import CallState
from tests.support.browser import visiting
from tests.support.call_records import a_call, file
from tests.support.connected import add_connection
from tests.support.dashboard import DashboardSite

PAGES = ("tools", "tools/list_incidents", "tools/create_incident", "approvals", "approvals/{call}")


@pytest.fixture(scope="module")
async def waiting_call(site: DashboardSite) -> str:
    connection = add_connection(site.database, site.doorway.keyring, "organization:acme")
    now = datetime.now(UTC)
    call = a_call(
        connection,
        "waits",
        tool="create_incident",
        arguments={"title": "<b>Checkout</b> is down", "service_id": "PSHOP"},
        state=CallState.WAITING,
        needs_approval=True,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    file(site.database, call)
    return call.id


@pytest.fixture(scope="module")
async def key(site: DashboardSite, waiting_call: str) -> str:
    return site.a_key(person="PUSER1")


async def test_tools_and_approvals_look_right(
    site: DashboardSite, key: str, waiting_call: str, browser: Browser
) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, then=None)
        for page in PAGES:
            await visit.goto(f"/dashboard/{page.format(call=waiting_call)}")
            assert await visit.looks_wrong(page.replace("/", "-")) == [], page


async def test_an_approver_sees_the_exact_arguments(
    site: DashboardSite, key: str, waiting_call: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, width=360, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/approvals")
        await visit.page.get_by_role("link", name="create_incident").click()
        arguments = visit.page.get_by_role("table", name="Arguments")
        await expect(arguments.get_by_role("row", name="title")).to_contain_text("<b>Checkout</b> is down")
        await expect(visit.page.get_by_role("button", name="Approve")).to_be_visible()


async def test_a_wrong_argument_is_named_and_a_write_is_never_made_from_an_address(
    site: DashboardSite, key: str
) -> None:
    session = await site.session(key)
    wrong = await session.get("/dashboard/tools/list_incidents?try=yes&arg.limit=many")
    assert "limit: this must be a whole number" in wrong.text
    write = await session.get("/dashboard/tools/create_incident?try=yes&arg.title=x&arg.service_id=P1")
    assert "can&#39;t be tried here" in write.text
    assert (await session.get("/dashboard/tools/no_such_tool")).status_code == 404


async def test_a_stranger_sees_no_call(site: DashboardSite, waiting_call: str) -> None:
    foreign = await site.session(site.a_key(scopes=("organization:other",)))
    assert (await foreign.get(f"/dashboard/approvals/{waiting_call}")).status_code == 404
    assert waiting_call not in (await foreign.get("/dashboard/approvals")).text
