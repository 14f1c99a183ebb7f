"""Signing in and out, and everything that must not work without it."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calmo_pagerduty.access import session_store
from calmo_pagerduty.access.permissions import ISSUES_READ, TOOLS_READ
from calmo_pagerduty.db import tables
from ingress.dashboard.site import ACTIONS, PAGES
from tests.support.dashboard import DashboardSite
from tests.support.doors import rows


async def test_a_page_leads_who_has_not_signed_in_to_the_form_and_back(site: DashboardSite) -> None:
    answer = await site.client.get("/dashboard/issues?severity=critical")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/dashboard/sign-in?next=%2Fdashboard%2Fissues%3Fseverity%3Dcritical"
    form = (await site.client.get(answer.headers["location"])).text
    assert 'name="next" value="/dashboard/issues?severity=critical"' in form


async def test_no_page_and_no_action_answers_without_a_session(site: DashboardSite) -> None:
    for page in PAGES:
        answer = await site.client.get(page.address.replace("{id}", "x"))
        assert (answer.status_code, answer.headers["location"][:18]) == (303, "/dashboard/sign-in"), page.path
    for action in ACTIONS:
        answer = await site.client.post(action.address.replace("{id}", "x"))
        assert answer.status_code == 303, action.path
    assert (await site.client.get("/dashboard/stream")).status_code == 303


async def test_no_page_answers_a_key_that_lacks_its_permission(site: DashboardSite) -> None:
    for page in PAGES:
        lacking = TOOLS_READ if page.permission != TOOLS_READ else ISSUES_READ
        signed_in = await site.session(site.a_key(lacking))
        assert (await signed_in.get(page.address.replace("{id}", "x"))).status_code == 403, page.path


async def test_a_key_signs_in_and_the_cookie_is_for_the_server_alone(site: DashboardSite) -> None:
    answer = await site.client.post(
        "/dashboard/sign-in/key",
        data={"key": site.a_key(), "next": "/dashboard/issues"},
        headers={"Origin": site.address},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/issues")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("calmo-session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    secret = cookie.partition("=")[2].partition(";")[0]
    assert secret not in str(rows(site.database, tables.dashboard_sessions))


async def test_over_https_the_cookie_is_bound_to_this_host(site: DashboardSite) -> None:
    from starlette.responses import Response

    from ingress.dashboard import security

    response = Response()
    security.set_session_cookie(response, "secret", True, 60)
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-calmo-session=secret;")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize("text", ["", "calmo_wrong", "calmo_" + "a" * 16 + "_" + "a" * 52 + "_00000000"])
async def test_a_wrong_key_does_not_sign_in(site: DashboardSite, text: str) -> None:
    answer = await site.client.post(
        "/dashboard/sign-in/key", data={"key": text}, headers={"Origin": site.address}
    )
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not valid" in answer.text


async def test_a_link_signs_in_once_and_looking_at_it_does_not_use_it_up(site: DashboardSite) -> None:
    link = site.a_link(site.a_key())
    token = link.partition("token=")[2]
    for _ in range(2):
        assert (await site.client.get(link)).status_code == 200
    used = [
        await site.client.post(
            "/dashboard/sign-in/link", data={"token": token}, headers={"Origin": site.address}
        )
        for _ in range(2)
    ]
    site.client.cookies.clear()
    assert [answer.status_code for answer in used] == [303, 401]
    assert "calmo-pagerduty dashboard" in used[1].text
    assert token not in str(rows(site.database, tables.sign_in_links))


async def test_a_link_that_is_too_old_does_not_sign_in(site: DashboardSite) -> None:
    link = site.a_link(site.a_key())
    site.database.write_blocking(
        lambda t: t.execute(sa.update(tables.sign_in_links).values(expires_at=datetime.now(UTC)))
    )
    answer = await site.client.post(
        "/dashboard/sign-in/link",
        data={"token": link.partition("token=")[2]},
        headers={"Origin": site.address},
    )
    assert answer.status_code == 401


async def test_a_session_ends_with_its_key(site: DashboardSite) -> None:
    key = site.a_key()
    signed_in = await site.session(key)
    assert (await signed_in.get("/dashboard/now")).status_code == 200
    site.revoke(key)
    assert (await signed_in.get("/dashboard/now")).status_code == 303


@pytest.mark.parametrize(
    ("column", "age"),
    [("seen_at", session_store.IDLE_LIMIT), ("expires_at", timedelta(0))],
    ids=["idle", "absolute"],
)
async def test_a_session_expires(site: DashboardSite, column: str, age: timedelta) -> None:
    signed_in = await site.session(site.a_key())
    site.database.write_blocking(
        lambda t: t.execute(sa.update(tables.dashboard_sessions).values({column: datetime.now(UTC) - age}))
    )
    assert (await signed_in.get("/dashboard/now")).status_code == 303


async def test_signing_out_ends_the_session_at_the_server(site: DashboardSite) -> None:
    signed_in = await site.session(site.a_key())
    answer = await signed_in.post("/dashboard/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert (await signed_in.get("/dashboard/now")).status_code == 303


async def test_a_form_of_another_session_does_nothing(site: DashboardSite) -> None:
    signed_in, other = await site.session(site.a_key()), await site.session(site.a_key())
    for token in (await other.token(), "", "0" * 64):
        answer = await signed_in.post("/dashboard/sign-out", token=token)
        assert answer.status_code == 403
    assert (await signed_in.get("/dashboard/now")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": ""},
    ],
    ids=str,
)
async def test_a_form_of_another_site_does_nothing(site: DashboardSite, headers: dict[str, str]) -> None:
    signed_in = await site.session(site.a_key())
    answer = await signed_in.post("/dashboard/sign-out", None, None, **headers)
    assert answer.status_code == 403
    answer = await site.client.post("/dashboard/sign-in/key", data={"key": site.a_key()}, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "then",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/dashboard/../api", "javascript:1"],
)
async def test_signing_in_leads_nowhere_else(site: DashboardSite, then: str) -> None:
    answer = await site.client.post(
        "/dashboard/sign-in/key", data={"key": site.a_key(), "next": then}, headers={"Origin": site.address}
    )
    site.client.cookies.clear()
    assert answer.headers["location"] == "/dashboard/now"
