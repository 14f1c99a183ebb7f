"""Signing in through a real OpenID provider, and every answer of a provider that must not sign anybody in."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, expect
from starlette.requests import Request

from calmo_pagerduty.access import people_service
from calmo_pagerduty.access.provider_client import ProviderUnavailable, check_address
from calmo_pagerduty.access.roles import InvalidGrant, make_grant
from calmo_pagerduty.access.store import mark_revoked
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.settings import InvalidSettings, Settings
from ingress.app import build_app
from ingress.dashboard.oidc import provider_sign_in
from ingress.dashboard.sign_in_limits import SignInLimits, peer_of
from pagerduty_simulator.rest.serving import running_server
from tests.support.browser import visiting
from tests.support.dashboard import DashboardSite, SignedIn
from tests.support.doors import open_doorway, rows
from tests.support.openid_provider import CLIENT_ID, Forgery, OpenIdProvider, free_port, running_provider
from tests.support.patience import ANSWER

GROUPS = {"sre": "lead organization:acme", "guests": "viewer organization:acme", "ops": "operator"}


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
async def site(
    provider: OpenIdProvider, migrated_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DashboardSite]:
    """A dashboard whose people sign in through the provider."""
    folder = tmp_path_factory.mktemp("openid")
    file = shutil.copy(migrated_file, folder / "calmo.db")
    port = free_port()
    settings: dict[str, Any] = {
        "public_url": f"http://127.0.0.1:{port}",
        "oidc_issuer": provider.address,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": "a secret: with/signs",
        "oidc_group_roles": GROUPS,
        "oidc_person_claim": "pagerduty_id",
    }
    with contextlib.closing(Database(f"sqlite:///{file}")) as database:
        async with (
            open_doorway(database, Keyring({"test": bytes(range(32))}), folder, **settings) as doorway,
            running_server(build_app(doorway.ingress), "127.0.0.1", port) as address,
            httpx.AsyncClient(base_url=address, trust_env=False, timeout=ANSWER) as client,
        ):
            yield DashboardSite(doorway, address, client)
            doorway.ingress.close()


@pytest.fixture(autouse=True)
def _fresh(site: DashboardSite, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has an honest provider, a browser without cookies and no failures behind it."""
    provider.forgery, provider.document = None, {}
    site.client.cookies.clear()
    monkeypatch.setattr("calmo_pagerduty.access.provider_client.KEY_READ_SECONDS", 0.0)
    monkeypatch.setattr("ingress.dashboard.sign_in_limits.peer_of", lambda _request: str(time.monotonic_ns()))


async def begin(site: DashboardSite, then: str = "/dashboard/issues") -> str:
    """Begin in the site's client, and return the provider's address."""
    answer = await site.client.get(f"/dashboard/sign-in/oidc?next={then}")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come_back(site: DashboardSite, provider: OpenIdProvider, subject: str = "ada") -> str:
    """Sign in at the provider, and return the address with which it sends the browser back."""
    return await provider.sign_in(await begin(site), subject)


async def sign_in(site: DashboardSite, provider: OpenIdProvider, subject: str = "ada") -> SignedIn:
    answer = await site.client.get(await come_back(site, provider, subject))
    assert answer.status_code == 303, answer.text
    cookies = [line.partition(";")[0] for line in answer.headers.get_list("set-cookie")]
    site.client.cookies.clear()
    return SignedIn(site, next(cookie for cookie in cookies if cookie.startswith("calmo-session=")))


async def test_a_person_signs_in_works_and_signs_out_without_scripts(
    site: DashboardSite, provider: OpenIdProvider, browser: Browser
) -> None:
    await provider.person("grace", groups=["sre"], pagerduty_id="PGRACE")
    async with visiting(browser, site.address, scripts=False) as visit:
        with visit.expecting_problems():
            await visit.goto("/dashboard/issues?severity=critical")
            await visit.page.get_by_role("link", name="Sign in with your organisation").click()
            await visit.page.locator("input[name=sub]").fill("grace")
            await visit.page.locator("input[name=sub]").press("Enter")
            await expect(visit.page).to_have_url(f"{site.address}/dashboard/issues?severity=critical")
        await expect(visit.page.locator(".headline")).to_contain_text("PGRACE")
        await visit.page.get_by_role("button", name="Sign out").click()
        await expect(visit.page).to_have_url(f"{site.address}/dashboard/sign-in")
    said = [row.record for row in rows(site.database, tables.audit) if "PGRACE" in row.record]
    for outcome in ("person changed", "signed in", "signed out"):
        assert any(outcome in record and "organization:acme" in record for record in said), outcome


async def test_a_person_may_do_what_the_role_says_in_its_scopes(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    foreign = await site.an_issue(site.webhook(scope="organization:other"), "Foreign title")
    await provider.person("ada", groups=["guests"])
    signed_in = await sign_in(site, provider)
    assert foreign not in (await signed_in.get("/dashboard/issues")).text
    assert (await signed_in.get("/dashboard/keys")).status_code == 403
    await provider.person("olga", groups=["ops", "guests"])
    operator = await sign_in(site, provider, "olga")
    assert "Foreign title" in (await operator.get("/dashboard/issues")).text
    assert (await operator.get("/dashboard/keys")).status_code == 200


async def test_who_has_no_role_is_refused_in_words_that_no_shell_obeys(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("eve;reboot", groups=["strangers"])
    answer = await site.client.get(await come_back(site, provider, "eve;reboot"))
    assert answer.status_code == 401
    assert "nobody gave you a role" in answer.text
    assert "people set &#39;eve;reboot&#39;" in answer.text
    assert "calmo-session" not in answer.headers.get("set-cookie", "")


async def test_a_change_or_removal_of_a_person_holds_with_the_next_request(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("rosa", groups=["ops"])
    signed_in = await sign_in(site, provider, "rosa")
    assert (await signed_in.get("/dashboard/keys")).status_code == 200
    viewer, now = make_grant("viewer", ["organization:acme"]), datetime.now(UTC)
    site.database.write_blocking(
        lambda t: people_service.set_person(t, provider.address, "rosa", viewer, None, now)
    )
    assert (await signed_in.get("/dashboard/keys")).status_code == 403
    # What the command line set wins over the groups.
    assert (await (await sign_in(site, provider, "rosa")).get("/dashboard/keys")).status_code == 403
    site.database.write_blocking(
        lambda t: people_service.remove_person(t, provider.address, "rosa", True, now)
    )
    assert (await signed_in.get("/dashboard/issues")).status_code == 303
    assert (await site.client.get(await come_back(site, provider, "rosa"))).status_code == 401


async def test_an_administrator_gives_and_takes_roles_on_the_page_of_people(
    site: DashboardSite, provider: OpenIdProvider, browser: Browser
) -> None:
    await provider.person("leokadia", groups=["guests"])
    await provider.person("oona", groups=["ops"])
    lea = await sign_in(site, provider, "leokadia")
    await sign_in(site, provider, "oona")
    administrator = make_grant("administrator", ["organization:acme"])
    key = site.a_key(*administrator.permissions, scopes=("organization:acme",), person="Ada")
    async with visiting(browser, site.address) as visit:
        await visit.sign_in(key, "/dashboard/people")
        page = visit.page
        row = page.get_by_role("row", name="leokadia")
        await expect(row).to_contain_text("identity provider")
        # An operator sees more than an administrator does, so is not shown to them.
        await expect(page.get_by_role("row", name="oona")).to_have_count(0)
        for folded in ("Give somebody a role", "What each role may do"):
            await page.get_by_text(folded).click()
        await row.get_by_text("Change").click()
        assert await visit.looks_wrong("people") == []
        await row.get_by_label("Role").select_option("lead")
        await row.get_by_role("button", name="Give the role").click()
        await expect(page.locator(".message")).to_contain_text("is lead now")
        await expect(row).to_contain_text("Ada")
        assert (await lea.get("/dashboard/audit")).status_code == 200
        await page.get_by_text("Give somebody a role").click()
        await page.get_by_label("Subject").fill("oona")
        await page.get_by_label("Organisations").last.fill("organization:acme")
        with visit.expecting_problems():
            await page.get_by_role("button", name="Give the role").last.click()
            await expect(page.locator("main")).to_contain_text("no such person, or your API key may not see")
        await visit.goto("/dashboard/people")
        await row.get_by_text("Change").click()
        await row.get_by_role("button", name="Keep out").click()
        await expect(row).to_contain_text("kept out")
        assert (await lea.get("/dashboard/now")).status_code == 303
    made = [row.record for row in rows(site.database, tables.audit) if '"Ada"' in row.record]
    assert any("person set" in record for record in made)
    assert any("person kept out" in record for record in made)


async def test_nobody_gives_a_role_that_could_do_more_than_they_may(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    lead = make_grant("lead", ["organization:acme"])
    key = site.a_key(*lead.permissions, "keys:write", scopes=("organization:acme",), person="Lou")
    for role, scopes, refusal in (
        ("administrator", ["organization:acme"], "lacks"),
        ("viewer", ["organization:bank"], "doesn't see the scope"),
        ("operator", [], "can't give"),
        ("lead", ["organization:acme"], "other persons"),
    ):
        answer = await site.client.put(
            "/api/people",
            json={"subject": "puppet", "role": role, "scopes": scopes},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert (answer.status_code, refusal in answer.text) == (403, True), answer.text


async def test_groups_that_no_longer_give_a_role_end_the_other_sessions(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("nora", groups=["sre"])
    signed_in = await sign_in(site, provider, "nora")
    await provider.person("nora", groups=[])
    assert (await site.client.get(await come_back(site, provider, "nora"))).status_code == 401
    assert (await signed_in.get("/dashboard/issues")).status_code == 303


async def test_revoking_a_person_s_key_signs_them_out(site: DashboardSite, provider: OpenIdProvider) -> None:
    await provider.person("vera", groups=["sre"])
    signed_in = await sign_in(site, provider, "vera")
    key_id = next(row.key_id for row in rows(site.database, tables.people) if row.subject == "vera")
    site.database.write_blocking(lambda t: mark_revoked(t, key_id, datetime.now(UTC)))
    assert (await signed_in.get("/dashboard/issues")).status_code == 303
    assert (await (await sign_in(site, provider, "vera")).get("/dashboard/issues")).status_code == 200


FORGERIES = {
    "another nonce": (Forgery(lambda claims: {**claims, "nonce": "other"}), "nonce"),
    "no nonce": (Forgery(lambda claims: {k: v for k, v in claims.items() if k != "nonce"}), "nonce"),
    "another audience": (Forgery(lambda claims: {**claims, "aud": "other"}), "Audience"),
    "several audiences": (Forgery(lambda claims: {**claims, "aud": [CLIENT_ID, "x"]}), "another application"),
    "another azp": (Forgery(lambda claims: {**claims, "azp": "other"}), "another application"),
    "expired": (Forgery(lambda claims: {**claims, "exp": time.time() - 120}), "expired"),
    "of the future": (Forgery(lambda claims: {**claims, "iat": time.time() + 120}), "not yet valid"),
    "another issuer": (Forgery(lambda claims: {**claims, "iss": "https://evil.example"}), "issuer"),
    "nobody": (Forgery(lambda claims: {**claims, "sub": ""}), "names nobody"),
    "no algorithm": (Forgery(algorithm="none"), "algorithm"),
    "a shared secret": (Forgery(algorithm="HS256"), "algorithm"),
    "an unpublished key": (Forgery(kid="unpublished", is_published=False), "does not publish"),
    "no key id": (Forgery(kid=None), "which of several keys"),
    "another's key id": (Forgery(kid="other", published_as="mine"), "does not publish"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_token_that_proves_nothing_signs_nobody_in(
    site: DashboardSite, provider: OpenIdProvider, name: str
) -> None:
    await provider.person("ada", groups=["sre"])
    provider.forgery, words = FORGERIES[name]
    answer = await site.client.get(await come_back(site, provider))
    assert answer.status_code == 401, answer.headers
    assert words in answer.text
    assert "calmo-session" not in answer.headers.get("set-cookie", "")


async def test_a_clock_that_is_a_little_wrong_does_no_harm(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("ada", groups=["sre"])
    provider.forgery = Forgery(lambda claims: {**claims, "exp": time.time() - 20, "iat": time.time() + 20})
    assert (await (await sign_in(site, provider)).get("/dashboard/issues")).status_code == 200


async def test_a_new_key_is_read_once_and_unknown_ones_do_not_flood_the_provider(
    site: DashboardSite, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await provider.person("ada", groups=["sre"])
    await sign_in(site, provider)
    provider.forgery, before = Forgery(kid=f"new-{time.monotonic_ns()}"), provider.key_reads
    await sign_in(site, provider)
    await sign_in(site, provider)
    assert provider.key_reads - before == 1
    monkeypatch.setattr("calmo_pagerduty.access.provider_client.KEY_READ_SECONDS", 1000.0)
    provider.forgery, before = Forgery(kid="unknown", published_as="known"), provider.key_reads
    for _ in range(3):
        assert (await site.client.get(await come_back(site, provider))).status_code == 401
    assert provider.key_reads == before


async def test_a_way_back_works_once_and_only_in_the_browser_that_began(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("ada", groups=["sre"])
    back = await come_back(site, provider)
    cookie = {"Cookie": f"calmo-sign-in={site.client.cookies['calmo-sign-in']}"}
    site.client.cookies.clear()
    assert "did not begin" in (await site.client.get(back)).text
    assert "did not begin" in (await site.client.get(back, headers={"Cookie": "calmo-sign-in=x"})).text
    other = back.replace("state=", "state=x")
    assert "did not begin" in (await site.client.get(other, headers=cookie)).text
    assert (await site.client.get(back, headers=cookie)).status_code == 303
    site.client.cookies.clear()
    again = await site.client.get(back, headers=cookie)
    assert (again.status_code, "was used" in again.text) == (401, True)


async def log_out(site: DashboardSite, token: str) -> int:
    """Let the provider say that somebody signed out there. Browsers don't send it, so it names no origin."""
    answer = await site.client.post(
        "/dashboard/sign-in/oidc/back-channel-logout", data={"logout_token": token}
    )
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code


async def is_in(session: SignedIn) -> bool:
    return (await session.get("/dashboard/issues")).status_code == 200


async def test_who_signs_out_at_the_provider_is_out_of_the_sessions_that_it_names(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("ada", groups=["sre"])
    await provider.person("bob", groups=["sre"])

    async def in_session(name: str, subject: str = "ada") -> SignedIn:
        provider.forgery = Forgery(lambda claims: {**claims, "sid": name})
        return await sign_in(site, provider, subject)

    first, second, bobs = await in_session("S1"), await in_session("S2"), await in_session("S3", "bob")
    provider.forgery = Forgery()
    nameless, by_key = await sign_in(site, provider), await site.session(site.a_key(person="ada"))
    assert await log_out(site, provider.logout_token(sid="S1")) == 200
    assert [await is_in(session) for session in (first, second, bobs, nameless)] == [False, True, True, True]
    # Named by another person's token, a session stays; one that the provider never named ends with any.
    assert await log_out(site, provider.logout_token(sid="S3", sub="ada")) == 200
    assert [await is_in(session) for session in (second, bobs, nameless)] == [True, True, False]
    assert await log_out(site, provider.logout_token(sub="ada")) == 200
    assert [await is_in(session) for session in (second, bobs, by_key)] == [False, True, True]
    ended = [row for row in rows(site.database, tables.audit) if "signed out at the provider" in row.record]
    assert len(ended) >= 3


async def test_a_live_page_ends_soon_after_its_person_signed_out_at_the_provider(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("ada", groups=["sre"])
    provider.forgery = Forgery()
    session = await sign_in(site, provider)
    told: list[str] = []
    async with site.client.stream(
        "GET", "/dashboard/stream", headers={"Cookie": session.cookie}, timeout=ANSWER
    ) as live:
        async for line in live.aiter_lines():
            if line.startswith("event:"):
                told.append(line.removeprefix("event:").strip())
            if told == ["beat"]:
                assert await log_out(site, provider.logout_token(sub="ada")) == 200
                told.append("signed out")
    assert told[-1] == "ended"


async def test_a_logout_token_is_good_once_and_only_if_the_provider_signed_it_for_signing_out(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("ada", groups=["sre"])
    provider.forgery = Forgery()
    session = await sign_in(site, provider)
    for bad in (
        provider.logout_token(sub="ada", nonce="n"),
        provider.logout_token(sub="ada", events={}),
        provider.logout_token(sub="ada", aud="another"),
        provider.logout_token(sub="ada") + "x",
        "nothing",
        "",
    ):
        assert await log_out(site, bad) == 400
    assert await is_in(session)
    token = provider.logout_token(sub="ada")
    assert await log_out(site, token) == 200
    session = await sign_in(site, provider)
    assert await log_out(site, token) == 400
    assert await is_in(session)


async def test_a_code_that_was_used_signs_nobody_in(site: DashboardSite, provider: OpenIdProvider) -> None:
    await provider.person("ada", groups=["sre"])
    back = await come_back(site, provider)
    code = back.partition("code=")[2].partition("&")[0]
    assert (await site.client.get(back)).status_code == 303
    site.client.cookies.clear()
    stolen = (await come_back(site, provider)).replace("code=", "code_of_mine=") + f"&code={code}"
    answer = await site.client.get(stolen)
    assert (answer.status_code, "refused the code: invalid_grant" in answer.text) == (401, True)


async def test_a_provider_that_is_another_is_not_believed(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    await provider.person("ada", groups=["sre"])
    answer = await site.client.get(await come_back(site, provider) + "&iss=https://evil.example")
    assert (answer.status_code, "another provider" in answer.text) == (401, True)
    site.client.cookies.clear()
    right = await site.client.get(await come_back(site, provider) + f"&iss={provider.address}")
    assert right.status_code == 303


async def test_what_the_provider_says_on_an_error_is_not_repeated(
    site: DashboardSite, provider: OpenIdProvider
) -> None:
    state = (await begin(site)).partition("state=")[2].partition("&")[0]
    answer = await site.client.get(
        f"/dashboard/sign-in/oidc/callback?error=access_denied&error_description=Call+me&state={state}"
    )
    assert (answer.status_code, "Call me" in answer.text) == (401, False)


async def test_floods_of_sign_ins_stop_but_a_valid_key_still_signs_in(
    site: DashboardSite, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.dashboard.sign_in_limits.peer_of", lambda _request: "one peer")
    origin = {"Origin": site.address}

    async def with_key(key: str) -> int:
        answer = await site.client.post("/dashboard/sign-in/key", data={"key": key}, headers=origin)
        return answer.status_code

    failed = await asyncio.gather(*(with_key("wrong") for _ in range(40)))
    assert set(failed) == {401, 429}
    audited = len([row for row in rows(site.database, tables.audit) if "sign-in failed" in row.record])
    assert await with_key("wrong") == 429
    assert (
        len([row for row in rows(site.database, tables.audit) if "sign-in failed" in row.record]) == audited
    )
    assert await with_key(site.a_key()) == 303


def test_who_floods_the_provider_is_stopped_and_who_did_not_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.dashboard.sign_in_limits.peer_of", peer_of)

    def request_of(address: str) -> Request:
        return Request({"type": "http", "client": (address, 1)})

    limits = SignInLimits()
    flood = [limits.admits_begin(request_of("192.0.2.1")) for _ in range(100)]
    assert (flood[0], flood[-1]) == (True, False)
    many = [limits.admits_begin(request_of(f"198.51.100.{peer}")) for peer in range(20) for _ in range(55)]
    assert not many[-1]
    assert limits.admits_begin(request_of("203.0.113.9"))
    addresses = ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")
    assert len({peer_of(request_of(address)) for address in addresses}) == 2


@pytest.mark.parametrize(
    "address", ["http://idp.example", "https://u@idp.example", "file:///x", None, "https:"]
)
def test_a_provider_is_reached_by_https_only(address: str | None) -> None:
    with pytest.raises(ProviderUnavailable, match="https"):
        check_address(address, "it")


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "https://idp.example"},
        {"oidc_client_id": "calmo"},
        {"oidc_issuer": "https://idp.example", "oidc_client_id": "calmo", "oidc_scopes": "email"},
        {"oidc_issuer": "https://idp.example", "oidc_client_id": "c", "oidc_group_roles": {"x": "king"}},
        {"oidc_issuer": "https://idp.example", "oidc_client_id": "c", "oidc_group_roles": {"x": "lead"}},
        {"oidc_issuer": "https://idp.example", "oidc_client_id": "c", "oidc_group_roles": {"x": "lead y"}},
        {"oidc_issuer": "https://idp.example", "oidc_client_id": "c", "public_url": "http://calmo.example"},
    ],
)
def test_settings_that_can_not_work_are_refused_at_the_start(
    site: DashboardSite, given: dict[str, Any]
) -> None:
    with pytest.raises((InvalidSettings, InvalidGrant, ProviderUnavailable)):
        provider_sign_in(Settings(**given), site.database)
