"""Who may do what, and how often."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from pagerduty_simulator.clocks import ManualClock
from tests.support.rest_account import INES, Api

NOTE = {"note": {"content": "Hello"}}


def code_of(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, response.json()["error"]["code"]


async def as_token(
    api: Api, key: str, method: str = "GET", path: str = "/incidents", body: Any = None, **headers: str
) -> httpx.Response:
    headers = {"Authorization": f"Token token={key}", **headers}
    return await api.http.request(method, path, json=body, headers=headers)


async def test_both_forms_of_the_header_are_taken_and_no_other(api: Api) -> None:
    assert (await as_token(api, "full")).status_code == 200
    for header, status in (("Bearer full", 200), ("Basic full", 401), ("Token token=wrong", 401)):
        response = await api.http.get("/incidents", headers={"Authorization": header})
        assert response.status_code == status
    assert code_of(response) == (401, 2006)


async def test_a_revoked_token_and_one_of_the_other_region_are_worthless(api: Api) -> None:
    api.site.add_token("european", region="eu")
    assert code_of(await as_token(api, "european")) == (401, 2006)
    api.site.revoke_token("full")
    assert code_of(await as_token(api, "full")) == (401, 2006)


async def test_a_reader_reads_and_does_not_write(api: Api) -> None:
    made = await api.incident()
    path = f"/incidents/{made['id']}/notes"
    assert (await as_token(api, "reader", "GET", path)).status_code == 200
    assert code_of(await as_token(api, "reader", "POST", path, NOTE, From=INES)) == (403, 2010)
    assert code_of(await as_token(api, "watcher", "POST", path, NOTE)) == (403, 2010)


async def test_a_user_s_token_names_its_user(api: Api) -> None:
    me = (await as_token(api, "hers", path="/users/me")).json()["user"]
    assert me["name"] == "Priya Raman"
    made = await api.incident()
    note = (await as_token(api, "hers", "POST", f"/incidents/{made['id']}/notes", NOTE)).json()["note"]
    assert note["user"]["summary"] == "Priya Raman"
    of_account = await as_token(api, "full", path="/users/me")
    assert (of_account.status_code, isinstance(of_account.json()["error"], str)) == (400, True)


async def test_an_oauth_token_goes_as_far_as_its_scopes(api: Api) -> None:
    assert (await as_token(api, "scoped")).status_code == 200
    assert code_of(await as_token(api, "scoped", path="/services")) == (403, 2010)
    assert code_of(await as_token(api, "scoped", "POST", "/incidents", {})) == (403, 2010)


async def test_writes_marked_so_need_a_known_from(api: Api) -> None:
    made = await api.incident()
    path = f"/incidents/{made['id']}/notes"
    assert code_of(await as_token(api, "full", "POST", path, NOTE)) == (400, 2016)
    unknown = await as_token(api, "full", "POST", path, NOTE, From="nobody@example.org")
    assert code_of(unknown) == (400, 1008)


async def test_a_body_without_its_content_type_is_no_hash(api: Api) -> None:
    headers = {"Authorization": "Token token=full", "From": INES}
    response = await api.http.post("/incidents", content=b'{"incident": {}}', headers=headers)
    assert code_of(response) == (400, 2001)
    assert response.json()["error"]["errors"] == ["params must be a Hash"]
    assert code_of(await api.send("POST", "/incidents", ["a list"])) == (400, 2001)


@pytest.mark.parametrize(
    ("ability", "path"),
    [
        ("event_intelligence", "/incidents/{}/past_incidents"),
        ("event_intelligence", "/incidents/{}/related_incidents"),
        ("incident_priorities", "/priorities"),
        ("teams", "/users?team_ids[]=PTEAM"),
        ("audit_trail", "/schedules/PNONE/audit/records"),
        ("business_services", "/business_services/impacts"),
    ],
)
async def test_what_the_plan_lacks_is_402(api: Api, ability: str, path: str) -> None:
    made = await api.incident()
    path = path.format(made["id"])
    assert (await api.send("GET", path)).status_code != 402
    api.site.abilities.discard(ability)
    assert code_of(await api.send("GET", path)) == (402, 2014)
    assert (await api.send("GET", f"/abilities/{ability}")).status_code == 402


async def test_abilities_are_204_402_or_404(api: Api) -> None:
    assert (await api.send("GET", "/abilities/teams")).status_code == 204
    assert (await api.send("GET", "/abilities/flying")).status_code == 404


async def test_the_limit_is_told_kept_and_over_after_its_reset(api: Api, clock: ManualClock) -> None:
    api.site.limits.per_window = 3
    for left in ("2", "1", "0"):
        assert (await api.send("GET", "/priorities")).headers["ratelimit-remaining"] == left
    refused = await api.send("GET", "/priorities")
    assert code_of(refused) == (429, 2020)
    assert refused.headers["ratelimit-reset"] == "60"
    assert (await as_token(api, "reader")).status_code == 200
    clock.advance(timedelta(seconds=60))
    assert (await api.send("GET", "/priorities")).status_code == 200


async def test_coming_again_before_the_reset_is_a_violation(api: Api, clock: ManualClock) -> None:
    api.site.limits.per_window, api.site.limits.grace_seconds = 1, 0.0
    for _ in range(2):
        await api.send("GET", "/priorities")
    assert api.site.violations == 0
    await api.send("GET", "/priorities")
    assert api.site.violations == 1
    clock.advance(timedelta(seconds=61))
    await api.send("GET", "/priorities")
    assert api.site.violations == 1


async def test_an_operation_may_have_a_tighter_limit_of_its_own(api: Api) -> None:
    api.site.limits.per_operation["listOnCalls"] = 1
    assert (await api.send("GET", "/oncalls")).headers["ratelimit-limit"] == "1"
    assert (await api.send("GET", "/oncalls")).status_code == 429
    assert (await api.send("GET", "/users")).status_code == 200


async def test_the_headers_of_the_limit_may_be_missing(api: Api) -> None:
    api.site.limits.per_window, api.site.limits.headers_missing = 1, True
    await api.send("GET", "/users")
    refused = await api.send("GET", "/users")
    assert refused.status_code == 429
    assert not any("ratelimit" in name for name in refused.headers)


async def test_analytics_have_a_daily_quota_beside_it(api: Api) -> None:
    api.site.limits.analytics_per_day = 1
    path = "/analytics/metrics/incidents/all"
    first = await api.send("POST", path, {"filters": {}})
    assert (first.status_code, first.headers["daily-ratelimit-remaining"]) == (200, "0")
    spent = await api.send("POST", path, {"filters": {}})
    assert (spent.status_code, int(spent.headers["daily-ratelimit-reset"])) == (429, 86_400)
    assert "daily-ratelimit-limit" not in (await api.send("GET", "/users")).headers


async def test_every_request_is_written_down(api: Api) -> None:
    await api.send("GET", "/users")
    await api.http.get("/users")
    known, unknown = api.site.requests
    assert (known.method, known.path, known.operation) == ("GET", "/users", "listUsers")
    assert (known.token_name, known.status) == ("full", 200)
    assert (unknown.token_name, unknown.status) == (None, 401)
    assert known.at < unknown.at


async def test_a_path_or_method_that_is_not_there(api: Api) -> None:
    assert (await api.send("GET", "/nothing/here")).status_code == 404
    assert (await api.send("DELETE", "/users")).status_code == 405
