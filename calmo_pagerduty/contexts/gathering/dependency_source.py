"""The dependencies around the incident's service. There is no list of all: each is asked once a day."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.cache import DEPENDENCIES, HIDDEN
from calmo_pagerduty.contexts.account_cache_store import Kept
from calmo_pagerduty.contexts.analysis import reading_accounts as read
from calmo_pagerduty.contexts.analysis.dependency_walk import DependencyWalk, NodeKey
from calmo_pagerduty.contexts.analysis.reading_accounts import Edge
from calmo_pagerduty.contexts.analysis.reading_incidents import read_all
from calmo_pagerduty.contexts.gathering.account_sources import business_services, services
from calmo_pagerduty.contexts.gathering.source import Found, Gather, Gathering, partial
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.json_values import objects_of
from calmo_pagerduty.pagerduty.errors import AccessDenied, NotFound, PagerDutyError

#: How many services are asked for one context; the rest is read in the background.
MOST_REQUESTS = 60
AT_ONCE = 6
Remembered = Mapping[str, Kept]


class LeftOut(Enum):
    """Why it isn't known what depends on a service."""

    UNREAD = auto()
    HIDDEN = auto()


async def dependencies(gathering: Gathering) -> Found:
    service_id = gathering.service_id
    if service_id is None:
        return gathering.without("service")
    walk = DependencyWalk(service_id)
    left_out = await walked(gathering, walk, MOST_REQUESTS)
    lacking = await _names(gathering)
    data = {"is_whole": not left_out.total()}
    if unread := left_out[LeftOut.UNREAD]:
        words = f"of {unread} services it is not known yet what depends on them: it is being read"
        return partial(data, len(walk.edges), words, wants_more=True)
    if hidden := left_out[LeftOut.HIDDEN]:
        words = f"PagerDuty doesn't let us see what depends on {hidden} of the services"
        return partial(data, len(walk.edges), words)
    if lacking is not None:
        return partial(data, len(walk.edges), f"without the names of services: {lacking}")
    return Found(data, len(walk.edges))


async def walked(gathering: Gathering, walk: DependencyWalk, at_most: int) -> Counter[LeftOut]:
    """Walk as far as is known and as `at_most` requests reach; returns how many were left out.

    Raises PagerDutyError, AccessDenied only if the walk can't even begin.
    """
    kept, hidden = await remembered(gathering.database, gathering.connection_id)
    left, left_out = at_most, Counter[LeftOut]()
    while frontier := walk.frontier():
        # Without the first one's nothing is known: whether it is hidden is asked each time.
        old = [node for node in frontier if is_old(node, kept, hidden if walk.edges else {})]
        asked, left = old[:left], left - len(old[:left])
        told = await ask(gathering, asked)
        for node in frontier:
            known, edges = kept.get(key_of(node)), told.get(node)
            if isinstance(edges, tuple):
                walk.learn(node, edges)
            elif known is not None:
                walk.learn(node, facts.EDGES.of(known.data))
            elif isinstance(edges, AccessDenied) and not walk.edges:
                raise edges
            else:
                walk.leave(node)
                is_hidden = edges is not None or key_of(node) in hidden
                left_out[LeftOut.HIDDEN if is_hidden else LeftOut.UNREAD] += 1
    return left_out


async def known_walk(gathering: Gathering, service_id: str) -> DependencyWalk:
    """Walk what is remembered, without asking."""
    walk = DependencyWalk(service_id)
    await walked(gathering, walk, 0)
    return walk


async def ask(
    gathering: Gathering, nodes: Sequence[NodeKey]
) -> Mapping[NodeKey, tuple[Edge, ...] | AccessDenied]:
    """Ask for each node's dependencies; some may be hidden from us. Raises PagerDutyError."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask_node(node: NodeKey) -> tuple[Edge, ...]:
        async with gate:
            known = await gathering.memory.known(
                gathering.connection_id, DEPENDENCIES, lambda: _fetch(gathering, node), key_of(node)
            )
            return facts.EDGES.of(known.data)

    told = await asyncio.gather(*map(ask_node, nodes), return_exceptions=True)
    found: dict[NodeKey, tuple[Edge, ...] | AccessDenied] = {}
    for node, edges in zip(nodes, told, strict=True):
        if isinstance(edges, BaseException) and not isinstance(edges, AccessDenied):
            raise edges
        if isinstance(edges, AccessDenied):
            await gathering.memory.keep(gathering.connection_id, HIDDEN, {}, key_of(node))
        found[node] = edges
    return found


async def _fetch(gathering: Gathering, node: NodeKey) -> object:
    kind, id_ = node
    try:
        answer = await gathering.reading.get(f"/service_dependencies/{kind}s/{id_}")
    except NotFound:
        return []  # it was deleted, or is hidden from us
    return facts.EDGES.json(read_all(read.relationship, objects_of(answer.get("relationships"))))


async def _names(gathering: Gathering) -> PagerDutyError | None:
    """See to it that names are known; without them ids are shown."""
    try:
        await services(gathering)
        await business_services(gathering)
    except PagerDutyError as error:
        return error
    return None


def key_of(node: NodeKey) -> str:
    return ":".join(node)


async def remembered(database: Database, connection_id: str) -> tuple[Remembered, Remembered]:
    """Return the dependencies that are remembered, and that some are hidden from us, by `key_of`."""
    now = datetime.now(UTC)

    def read(tx: Transaction) -> tuple[Remembered, Remembered]:
        kept, hidden = (
            account_memory.objects(tx, connection_id, kind.name) for kind in (DEPENDENCIES, HIDDEN)
        )
        return kept, {key: row for key, row in hidden.items() if now - row.fetched_at < HIDDEN.holds}

    return await database.read(read)


def is_old(node: NodeKey, kept: Remembered, hidden: Remembered) -> bool:
    """Tell whether a node is to be asked for: it is not known, or not any more, nor known to be hidden."""
    known = kept.get(key_of(node))
    is_fresh = known is not None and datetime.now(UTC) - known.fetched_at < DEPENDENCIES.holds
    return not is_fresh and key_of(node) not in hidden


GATHERS: Mapping[Source, Gather] = {Source.DEPENDENCIES: dependencies}
