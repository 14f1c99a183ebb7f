"""The pages of connections: what a token can do, settings, and what needs an administrator."""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from ingress.app import build_app
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest.serving import running_server
from pagerduty_simulator.rest_api import running_rest_api
from pagerduty_simulator.shop import online_shop
from tests.support.browser import visiting
from tests.support.connected import TOKEN, add_connection
from tests.support.dashboard import DashboardSite
from tests.support.doors import ACME, open_doorway
from tests.support.patience import ANSWER

HOSTILE = "Shop <script>alert(1)</script>"


@dataclass
class Office:
    """A dashboard beside a simulated PagerDuty, with a connection of a hostile name."""

    site: DashboardSite
    connection: str
    key: str

    @property
    def here(self) -> str:
        return f"/dashboard/connections/{self.connection}"

    def kept(self) -> Connection:
        """Return the connection as it is stored."""
        found = self.site.database.read_blocking(
            lambda t: connections.get_connection(t, EVERYTHING, self.connection)
        )
        assert found is not None
        return found


@pytest.fixture(scope="module")
async def office(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    file = shutil.copy(migrated_file, folder / "calmo.db")
    keyring = Keyring({"test": bytes(range(32))})
    account = AccountSite(online_shop(now=lambda: datetime.now(UTC), seed=11))
    account.add_token(TOKEN)
    with contextlib.closing(Database(f"sqlite:///{file}")) as database:
        async with (
            running_rest_api(account) as simulator,
            open_doorway(database, keyring, folder, simulator_url=simulator) as doorway,
            running_server(build_app(doorway.ingress), "127.0.0.1", 0) as address,
            httpx.AsyncClient(base_url=address, trust_env=False, timeout=ANSWER) as client,
        ):
            site = DashboardSite(doorway, address, client)
            connection = add_connection(database, keyring, ACME, rules=ConnectionRules())
            session = await site.session(key := site.a_key())
            await session.post(f"/dashboard/connections/{connection}/settings", {"name": HOSTILE})
            yield Office(site, connection, key)
            doorway.ingress.close()
            await doorway.ingress.services.aclose()
            await account.aclose()


async def test_connections_look_right(office: Office, browser: Browser) -> None:
    async with visiting(browser, office.site.address) as visit:
        await visit.sign_in(office.key, "/dashboard/connections")
        assert await visit.looks_wrong("connections") == []
        await visit.goto("/dashboard/connections/new")
        assert await visit.looks_wrong("new-connection") == []
        await visit.goto(office.here)
        await visit.page.get_by_role("button", name="Test it").click()
        await expect(visit.page.get_by_text("The token works.")).to_be_visible()
        assert await visit.looks_wrong("connection") == []
        await visit.goto(f"{office.here}/permissions")
        assert await visit.looks_wrong("permissions") == []


async def test_an_account_is_connected_without_scripts_and_a_bad_token_is_not_kept(
    office: Office, browser: Browser
) -> None:
    async with visiting(browser, office.site.address, scripts=False) as visit:
        await visit.sign_in(office.key, "/dashboard/connections")
        await visit.page.get_by_role("link", name="Connect PagerDuty").click()
        await visit.page.get_by_label("Name", exact=True).fill("Second account")
        await visit.page.get_by_label("Service region").select_option("simulator")
        await visit.page.get_by_label("Token", exact=True).fill("u+nobody-knows-this-token")
        await visit.page.get_by_role("button", name="Test the token and connect").click()
        await expect(visit.page.get_by_role("status").last).to_contain_text("PagerDuty rejects the token")
        # What was entered is still there; the token is not.
        await expect(visit.page.get_by_label("Name", exact=True)).to_have_value("Second account")
        await expect(visit.page.get_by_label("Token", exact=True)).to_have_value("")
        await visit.page.get_by_label("Token", exact=True).fill(TOKEN)
        await visit.page.get_by_role("button", name="Test the token and connect").click()
        await expect(visit.page.get_by_role("heading", name="Second account")).to_be_visible()


async def test_a_bad_token_never_replaces_a_good_one(office: Office) -> None:
    session = await office.site.session(office.key)
    here = office.here
    before = office.kept().token_version
    answer = await session.post(f"{here}/token", {"token": "u+nobody-knows-this-token", "back": here})
    assert answer.status_code == 303
    assert "PagerDuty rejects the token" in (await session.get(here)).text
    after = office.kept().token_version
    assert after == before
    await session.post(f"{here}/token", {"token": TOKEN, "back": here})
    assert "PagerDuty accepted the new token" in (await session.get(here)).text


async def test_severities_and_targets_are_kept_and_a_mistake_is_named(office: Office) -> None:
    session = await office.site.session(office.key)
    here = office.here
    await session.post(f"{here}/severities", {"priority": "Sev-0", "severity": "critical"})
    await session.post(f"{here}/targets", {"acknowledge.critical": "5", "escalation_level": "2"})
    kept = office.kept()
    assert kept.severities == {"Sev-0": "critical"}
    assert kept.response_targets is not None
    assert kept.response_targets.by_severity[Severity.CRITICAL].acknowledge_minutes == 5
    await session.post(f"{here}/targets", {"acknowledge.critical": "soon", "back": here})
    assert "acknowledge_minutes" in (await session.get(here)).text


async def test_who_may_not_change_a_connection_is_told_and_a_stranger_sees_none(office: Office) -> None:
    here = office.here
    reader = await office.site.session(office.site.a_key("issues:read", "connections:read"))
    shown = (await reader.get(here)).text
    assert "that needs the permission connections:write" in shown
    assert "&lt;script&gt;" in shown
    assert (await reader.post(f"{here}/remove", {"confirmed_name": HOSTILE})).status_code == 403
    member = await office.site.session(
        office.site.a_key("issues:read", "connections:read", "connections:write")
    )
    assert "are for the organization's administrators" in (await member.get(here)).text
    await member.post(f"{here}/remove", {"confirmed_name": HOSTILE, "back": here})
    assert "only the organization&#39;s administrators may remove it" in (await member.get(here)).text
    foreign = await office.site.session(office.site.a_key(scopes=("organization:other",)))
    assert (await foreign.get(here)).status_code == 404
    assert office.connection not in (await foreign.get("/dashboard/connections")).text


async def test_a_connection_is_removed_by_typing_its_name(office: Office) -> None:
    doorway = office.site.doorway
    doomed = add_connection(doorway.database, doorway.keyring, "personal:ann", rules=ConnectionRules())
    session = await office.site.session(office.key)
    here = f"/dashboard/connections/{doomed}"
    await session.post(f"{here}/remove", {"confirmed_name": "simulated"})
    assert (await session.get(here)).status_code == 200
    await session.post(f"{here}/remove", {"confirmed_name": "Simulated"})
    assert (await session.get(here)).status_code == 404


async def test_permissions_are_switched_without_scripts_and_it_is_told_who_did(
    office: Office, browser: Browser
) -> None:
    async with visiting(browser, office.site.address, scripts=False) as visit:
        await visit.sign_in(office.key, f"{office.here}/permissions")
        page = visit.page
        await page.get_by_role("group", name="medium risk").get_by_label("allow").check()
        await page.get_by_role("group", name="the category users").get_by_label("deny").check()
        await page.get_by_role("button", name="Keep the permissions").click()
        await expect(page.get_by_role("status").last).to_contain_text("risk:medium: default → allow")
        changes = page.get_by_role("table", name="Who changed what")
        await expect(changes.get_by_role("row").nth(1)).to_contain_text("category:users: default → deny")
        await expect(changes.get_by_role("row").nth(1)).to_contain_text("a test's key")
    rules = office.kept().rules
    assert rules.switches == {"risk:medium": Switch.ALLOW, "category:users": Switch.DENY}
    assert rules.approve == {Risk.HIGH}


async def test_allowing_more_needs_an_administrator_and_an_old_form_undoes_nothing(office: Office) -> None:
    here = f"{office.here}/permissions"
    member = await office.site.session(
        office.site.a_key("issues:read", "connections:read", "connections:write")
    )
    seen = re.search(r'name="seen" value="(\w+)"', (await member.get(here)).text)
    assert seen is not None
    before = office.kept().rules
    wanted = {"seen": seen[1], "switch.risk:high": "allow", "approve": "high", "back": here}
    await member.post(here, wanted)
    assert "only the organization&#39;s administrators may allow more" in (await member.get(here)).text
    await member.post(here, {**wanted, "seen": "an old one"})
    assert "somebody else changed the rules meanwhile" in (await member.get(here)).text
    assert office.kept().rules == before


async def test_a_teams_switches_are_its_own(office: Office) -> None:
    session = await office.site.session(office.key)
    here = f"{office.here}/permissions"
    seen = re.search(r'name="seen" value="(\w+)"', (await session.get(f"{here}?team=PNONE")).text)
    assert seen is not None
    before = office.kept().rules
    wanted = {"seen": seen[1], "team": "PNONE", "switch.tool:add_incident_note": "allow", "back": here}
    await session.post(here, wanted)
    assert "PagerDuty has no team" in (await session.get(here)).text
    assert office.kept().rules == before
