"""The sources that incidents of an account share: services, people, what is open, what is maintained."""

from collections.abc import Mapping
from typing import Any

from calmo_pagerduty.contexts.account import cache as kinds
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.cache import Known
from calmo_pagerduty.contexts.analysis import reading_accounts as read
from calmo_pagerduty.contexts.analysis.reading_incidents import open_incident, read_all
from calmo_pagerduty.contexts.gathering.source import Found, Gather, Gathering, of_known, partial
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.pagerduty.errors import PagerDutyError

MOST_SERVICES = 2000
MOST_USERS = 2000
MOST_OPEN = 300
MOST_ON_CALL = 300
MORE = "there are more than were read"


async def services(gathering: Gathering) -> Known:
    """Return all services, with the names of their teams and policies."""

    async def fetch() -> Any:
        items, whole = await gathering.reading.listed("/services", "services", MOST_SERVICES)
        nodes = read_all(read.service, items)
        names: dict[str, str] = {}
        for item in items:
            names |= read.names_beside(item)
        return {"nodes": facts.NODES.json(nodes), "names": names, "is_whole": whole}

    return await gathering.memory.known(gathering.connection_id, kinds.SERVICES, fetch)


async def business_services(gathering: Gathering) -> Known:
    async def fetch() -> Any:
        items, whole = await gathering.reading.listed(
            "/business_services", "business_services", MOST_SERVICES
        )
        return {"nodes": facts.NODES.json(read_all(read.business_service, items)), "is_whole": whole}

    return await gathering.memory.known(gathering.connection_id, kinds.BUSINESS_SERVICES, fetch)


async def users(gathering: Gathering) -> Known:
    """Return everybody: names, time zones and teams; no addresses."""

    async def fetch() -> Any:
        items, whole = await gathering.reading.listed("/users", "users", MOST_USERS)
        return {"people": facts.PEOPLE.json(read_all(read.person, items)), "is_whole": whole}

    return await gathering.memory.known(gathering.connection_id, kinds.USERS, fetch)


async def service(gathering: Gathering) -> Found:
    """The incident's service. One that is younger than what is remembered is asked for by itself."""
    service_id = gathering.service_id
    if service_id is None:
        return gathering.without("service")
    known = await services(gathering)
    for node in known.data["nodes"]:
        if node["id"] == service_id:
            return of_known(known, node, 1)

    async def fetch() -> Any:
        answer = await gathering.reading.get(f"/services/{service_id}")
        item = answer.get("service")
        found = read.service(item) if isinstance(item, dict) else None
        return facts.NODE.json(found) if found else None

    entry = await gathering.memory.known(gathering.connection_id, kinds.SERVICE, fetch, service_id)
    return of_known(entry, entry.data, 1 if entry.data else 0)


async def open_incidents(gathering: Gathering) -> Found:
    async def fetch() -> Any:
        items, whole = await gathering.reading.listed(
            "/incidents", "incidents", MOST_OPEN, date_range="all", sort_by="created_at:desc",
            **{"statuses[]": ("triggered", "acknowledged")},
        )  # fmt: skip
        return {"incidents": facts.OPEN.json(read_all(open_incident, items)), "is_whole": whole}

    known = await gathering.memory.known(gathering.connection_id, kinds.OPEN_INCIDENTS, fetch)
    others = [incident for incident in known.data["incidents"] if incident["id"] != gathering.ref.incident_id]
    return of_known(known, others, len(others), known.data["is_whole"], MORE)


async def on_call(gathering: Gathering) -> Found:
    """Who is on call by the incident's policy, and who they are."""
    policy_id = gathering.policy_id
    if policy_id is None:
        return gathering.without("escalation policy")

    async def fetch() -> Any:
        items, whole = await gathering.reading.listed(
            "/oncalls", "oncalls", MOST_ON_CALL, **{"escalation_policy_ids[]": policy_id}
        )
        rows = read_all(read.on_call, items)
        return {
            "on_call": facts.ON_CALL.json(tuple(dict.fromkeys(row for row, _ in rows))),
            "people": facts.REFERENCES.json(tuple(dict.fromkeys(who for _, who in rows))),
            "is_whole": whole,
        }

    known = await gathering.memory.known(gathering.connection_id, kinds.ON_CALL, fetch, policy_id)
    count = len(known.data["on_call"])
    try:
        everybody = await users(gathering)
    except PagerDutyError as error:
        return partial(known.data, count, f"without people's time zones: {error}")
    trouble = known if known.trouble else everybody
    return of_known(trouble, known.data, count, known.data["is_whole"], MORE)


async def maintenance(gathering: Gathering) -> Found:
    async def fetch() -> Any:
        items, whole = await gathering.reading.listed(
            "/maintenance_windows", "maintenance_windows", filter="open"
        )
        return {"windows": facts.MAINTENANCE.json(read_all(read.maintenance, items)), "is_whole": whole}

    known = await gathering.memory.known(gathering.connection_id, kinds.MAINTENANCE, fetch)
    windows = known.data["windows"]
    return of_known(known, windows, len(windows), known.data["is_whole"], MORE)


async def priorities(gathering: Gathering) -> Found:
    async def fetch() -> Any:
        items, _ = await gathering.reading.listed("/priorities", "priorities")
        return list(read.priorities(items))

    known = await gathering.memory.known(gathering.connection_id, kinds.PRIORITIES, fetch)
    return of_known(known, known.data, len(known.data))


GATHERS: Mapping[Source, Gather] = {
    Source.SERVICE: service,
    Source.OPEN_INCIDENTS: open_incidents,
    Source.ON_CALL: on_call,
    Source.MAINTENANCE: maintenance,
    Source.PRIORITIES: priorities,
}
