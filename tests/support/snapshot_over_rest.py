"""A snapshot of a simulated account, read over its REST API and parsed, without a database or a clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.model import AccountSnapshot, Section, SectionName, SectionState
from calmo_pagerduty.snapshots.parsing import (
    parse_all,
    parse_maintenance,
    parse_policy,
    parse_service,
    parse_user,
)
from calmo_pagerduty.snapshots.schedule_parsing import parse_layer_schedule, parse_shift_schedule
from pagerduty_simulator.account import Account
from pagerduty_simulator.rest.account_site import AccountSite
from pagerduty_simulator.rest_api import build_rest_api

TOKEN = "u+simulatedtoken-0123456789"


async def snapshot_over_rest(account: Account, days: int = 16) -> AccountSnapshot:
    """Return what PagerDuty says of the account now, rendered from yesterday on for so many days."""
    site = AccountSite(account)
    site.add_token(TOKEN)
    site.limits.per_window = 1_000_000
    since = account.now() - timedelta(days=1)
    until = account.now() + timedelta(days=days)
    try:
        transport = httpx.ASGITransport(app=build_rest_api(site))
        async with httpx.AsyncClient(transport=transport, base_url="http://pagerduty.test") as http:
            return await _read(http, int(account.now().timestamp()), since, until)
    finally:
        await site.aclose()


async def _read(http: httpx.AsyncClient, now: int, since: datetime, until: datetime) -> AccountSnapshot:
    async def ask(path: str, **query: Any) -> JsonObject:
        answer = await http.get(path, params=query, headers={"Authorization": f"Token token={TOKEN}"})
        assert answer.status_code == 200, answer.text
        found: JsonObject = answer.json()
        return found

    window = {"since": _iso(since), "until": _iso(until), "time_zone": "Etc/UTC"}
    every = {"limit": 100}
    layered = (await ask("/schedules", **every))["schedules"]
    shifted = (await ask("/v3/schedules", **every))["schedules"]
    rotas = [
        parse_layer_schedule((await ask(f"/schedules/{row['id']}", **window))["schedule"]) for row in layered
    ]
    for row in shifted:
        path, part = f"/v3/schedules/{row['id']}", {"include[]": "final_schedule"}
        item = (await ask(path, **window, **part))["schedule"]
        overrides = (await ask(f"{path}/overrides", **window))["overrides"]
        rotas.append(parse_shift_schedule(item, (), overrides))
    strategies = {"include[]": "escalation_rule_assignment_strategies"}
    users = await ask("/users", **every, **{"include[]": ["contact_methods", "notification_rules"]})
    services = await ask("/services", **every)
    policies = await ask("/escalation_policies", **every, **strategies)
    maintenance = await ask("/maintenance_windows", **every)
    return AccountSnapshot(
        id="snap_rest",
        connection_id="con_rest",
        taken_at=now,
        rendered_since=int(since.timestamp()),
        rendered_until=int(until.timestamp()),
        time_zone="Etc/UTC",
        sections=tuple(Section(name, SectionState.COMPLETE, now, 0) for name in SectionName),
        schedules=tuple(sorted(filter(None, rotas), key=lambda schedule: schedule.id)),
        policies=parse_all(parse_policy, policies["escalation_policies"]),
        services=parse_all(parse_service, services["services"]),
        users=parse_all(parse_user, users["users"]),
        maintenance=parse_all(parse_maintenance, maintenance["maintenance_windows"]),
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
