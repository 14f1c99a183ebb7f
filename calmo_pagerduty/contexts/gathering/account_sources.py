"""Readers of the sources that an account's incidents share: services, users, open incidents, on-calls,
maintenance windows, priorities.
"""

from collections.abc import Mapping
from typing import Any

from calmo_pagerduty.contexts.account import cache as cached_kinds, codec
from calmo_pagerduty.contexts.account.cache import CacheEntry
from calmo_pagerduty.contexts.analysis import parse_accounts as read
from calmo_pagerduty.contexts.analysis.parse_incidents import parse_all, parse_open_incident
from calmo_pagerduty.contexts.gathering.source import (
    SourceJob,
    SourceReader,
    SourceResult,
    cached_result,
    partial_result,
)
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.deliveries.drill_marker_store import list_all_drill_incidents
from calmo_pagerduty.pagerduty.errors import PagerDutyError

MAX_SERVICES = 2000
MAX_USERS = 2000
MAX_OPEN_INCIDENTS = 300
MAX_ON_CALL = 300
TRUNCATED_TEXT = "there are more than were read"


async def services(job: SourceJob) -> CacheEntry:
    """Return `{nodes, names, is_whole}`: all services, and the names of their teams and policies by id."""

    async def fetch() -> Any:
        items, whole = await job.client.list_items("/services", "services", MAX_SERVICES)
        nodes = parse_all(read.parse_service, items)
        names: dict[str, str] = {}
        for item in items:
            names |= read.parse_referenced_names(item)
        return {"nodes": codec.NODES.to_json(nodes), "names": names, "is_whole": whole}

    return await job.cache.get(job.connection_id, cached_kinds.SERVICES, fetch)


async def business_services(job: SourceJob) -> CacheEntry:
    async def fetch() -> Any:
        items, whole = await job.client.list_items("/business_services", "business_services", MAX_SERVICES)
        return {
            "nodes": codec.NODES.to_json(parse_all(read.parse_business_service, items)),
            "is_whole": whole,
        }

    return await job.cache.get(job.connection_id, cached_kinds.BUSINESS_SERVICES, fetch)


async def users(job: SourceJob) -> CacheEntry:
    """Return `{people, is_whole}`: all users with names, time zones and teams, without addresses."""

    async def fetch() -> Any:
        items, whole = await job.client.list_items("/users", "users", MAX_USERS)
        return {"people": codec.PEOPLE.to_json(parse_all(read.parse_person, items)), "is_whole": whole}

    return await job.cache.get(job.connection_id, cached_kinds.USERS, fetch)


async def service(job: SourceJob) -> SourceResult:
    """Read the incident's service: from the cached list, or by itself if it is newer than the list."""
    service_id = job.service_id
    if service_id is None:
        return job.not_applicable("service")
    cached = await services(job)
    for node in cached.data["nodes"]:
        if node["id"] == service_id:
            return cached_result(cached, node, 1)

    async def fetch() -> Any:
        answer = await job.client.get(f"/services/{service_id}")
        item = answer.get("service")
        node = read.parse_service(item) if isinstance(item, dict) else None
        return codec.NODE.to_json(node) if node else None

    entry = await job.cache.get(job.connection_id, cached_kinds.SERVICE, fetch, service_id)
    return cached_result(entry, entry.data, 1 if entry.data else 0)


async def open_incidents(job: SourceJob) -> SourceResult:
    async def fetch() -> Any:
        items, whole = await job.client.list_items(
            "/incidents",
            "incidents",
            MAX_OPEN_INCIDENTS,
            date_range="all",
            sort_by="created_at:desc",
            **{"statuses[]": ("triggered", "acknowledged")},
        )
        return {"incidents": codec.OPEN.to_json(parse_all(parse_open_incident, items)), "is_whole": whole}

    cached = await job.cache.get(job.connection_id, cached_kinds.OPEN_INCIDENTS, fetch)
    drills = await job.database.read(lambda tx: list_all_drill_incidents(tx, job.connection_id))
    not_others = drills | {job.ref.incident_id}
    others = [incident for incident in cached.data["incidents"] if incident["id"] not in not_others]
    return cached_result(cached, others, len(others), cached.data["is_whole"], TRUNCATED_TEXT)


async def on_call(job: SourceJob) -> SourceResult:
    """Read who is on call by the incident's escalation policy, and the users' references."""
    policy_id = job.policy_id
    if policy_id is None:
        return job.not_applicable("escalation policy")

    async def fetch() -> Any:
        items, whole = await job.client.list_items(
            "/oncalls", "oncalls", MAX_ON_CALL, **{"escalation_policy_ids[]": policy_id}
        )
        rows = parse_all(read.parse_on_call, items)
        return {
            "on_call": codec.ON_CALL.to_json(tuple(dict.fromkeys(row for row, _ in rows))),
            "people": codec.REFERENCES.to_json(tuple(dict.fromkeys(user for _, user in rows))),
            "is_whole": whole,
        }

    cached = await job.cache.get(job.connection_id, cached_kinds.ON_CALL, fetch, policy_id)
    count = len(cached.data["on_call"])
    try:
        cached_users = await users(job)
    except PagerDutyError as error:
        return partial_result(cached.data, count, f"without people's time zones: {error}")
    older = cached if cached.trouble else cached_users
    return cached_result(older, cached.data, count, cached.data["is_whole"], TRUNCATED_TEXT)


async def maintenance(job: SourceJob) -> SourceResult:
    async def fetch() -> Any:
        items, whole = await job.client.list_items(
            "/maintenance_windows", "maintenance_windows", filter="open"
        )
        return {
            "windows": codec.MAINTENANCE.to_json(parse_all(read.parse_maintenance, items)),
            "is_whole": whole,
        }

    cached = await job.cache.get(job.connection_id, cached_kinds.MAINTENANCE, fetch)
    windows = cached.data["windows"]
    return cached_result(cached, windows, len(windows), cached.data["is_whole"], TRUNCATED_TEXT)


async def priorities(job: SourceJob) -> SourceResult:
    async def fetch() -> Any:
        items, _ = await job.client.list_items("/priorities", "priorities")
        return list(read.parse_priorities(items))

    cached = await job.cache.get(job.connection_id, cached_kinds.PRIORITIES, fetch)
    return cached_result(cached, cached.data, len(cached.data))


SOURCE_READERS: Mapping[Source, SourceReader] = {
    Source.SERVICE: service,
    Source.OPEN_INCIDENTS: open_incidents,
    Source.ON_CALL: on_call,
    Source.MAINTENANCE: maintenance,
    Source.PRIORITIES: priorities,
}
