"""The pages of API keys and of the audit: a secret is shown once, rights never grow, changes are told."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite


@pytest.fixture(scope="module")
async def key(site: DashboardSite) -> str:
    return site.a_key(person="PUSER1")


async def test_keys_and_audit_look_right(site: DashboardSite, key: str, browser: Browser) -> None:
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, "/dashboard/keys")
        await visit.page.get_by_text("Make a key").click()
        assert await visit.looks_wrong("keys") == []
        for page in ("audit", "set-up"):
            await visit.goto(f"/dashboard/{page}")
            assert await visit.looks_wrong(page) == []


async def test_a_key_is_made_shown_once_and_revoked_without_scripts(
    site: DashboardSite, key: str, browser: Browser
) -> None:
    async with visiting(browser, site.address, scripts=False) as visit:
        await visit.sign_in(key, "/dashboard/keys")
        await visit.page.get_by_text("Make a key").click()
        await visit.page.get_by_label("Name").fill("deploy <b>bot</b>")
        await visit.page.get_by_label("issues:read").check()
        await visit.page.get_by_role("button", name="Make the key").click()
        secret = await visit.page.get_by_label("Copy it now.").input_value()
        assert secret.startswith("calmo_")
        await visit.screenshot("new-key")
        made = await site.session(secret)
        assert (await made.get("/dashboard/now")).status_code == 200
        await visit.page.get_by_role("link", name="I have copied it").click()
        assert secret not in await visit.page.content()
        row = visit.page.get_by_role("row", name="deploy <b>bot</b>")
        await row.get_by_text("Change").click()
        await row.get_by_role("button", name="Revoke").click()
        await expect(visit.page.get_by_role("status").last).to_contain_text("is revoked")
        assert (await made.get("/dashboard/now")).status_code == 303
        await visit.page.get_by_role("link", name="Audit").click()
        await expect(visit.page.get_by_role("row", name="api key revoked").first).to_be_visible()


async def test_a_key_gives_no_more_than_it_has(site: DashboardSite) -> None:
    session = await site.session(
        site.a_key("keys:write", "issues:read", scopes=("organization:acme",), person="PUSER2")
    )
    form = {"name": "more", "permission": "tools:write", "back": "/dashboard/keys"}
    answer = await session.post("/dashboard/keys", form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/keys")
    page = (await session.get("/dashboard/keys")).text
    assert "Nothing was done: " in page and "lacks: tools:write" in page
    assert not re.search(r'value="tools:write"', page)
    assert (await session.get("/dashboard/audit")).status_code == 403
