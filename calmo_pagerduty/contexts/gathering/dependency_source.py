"""The dependencies around the incident's service. There is no list of all: each is asked once a day."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.cache import DEPENDENCIES, HIDDEN_DEPENDENCIES
from calmo_pagerduty.contexts.account_cache_store import CachedRow
from calmo_pagerduty.contexts.analysis import parse_accounts as read
from calmo_pagerduty.contexts.analysis.dependency_walk import DependencyWalk, NodeKey
from calmo_pagerduty.contexts.analysis.parse_accounts import Edge
from calmo_pagerduty.contexts.analysis.parse_incidents import parse_all
from calmo_pagerduty.contexts.gathering.account_sources import business_services, services
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult, partial_result
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.pagerduty.errors import AccessDenied, NotFound, PagerDutyError

#: How many services are asked for one context; the rest is read in the background.
MAX_REQUESTS = 60
MAX_CONCURRENT_REQUESTS = 6
CachedDependencies = Mapping[str, CachedRow]


class SkipReason(Enum):
    """Why it isn't known what depends on a service."""

    UNREAD = auto()
    HIDDEN = auto()


async def dependencies(job: SourceJob) -> SourceResult:
    service_id = job.service_id
    if service_id is None:
        return job.not_applicable("service")
    walk = DependencyWalk(service_id)
    left_out = await run_walk(job, walk, MAX_REQUESTS)
    lacking = await _load_names(job)
    data = {"is_whole": not left_out.total()}
    if unread := left_out[SkipReason.UNREAD]:
        words = f"of {unread} services it is not known yet what depends on them: it is being read"
        return partial_result(data, len(walk.edges), words, wants_more=True)
    if hidden := left_out[SkipReason.HIDDEN]:
        words = f"PagerDuty doesn't let us see what depends on {hidden} of the services"
        return partial_result(data, len(walk.edges), words)
    if lacking is not None:
        return partial_result(data, len(walk.edges), f"without the names of services: {lacking}")
    return SourceResult(data, len(walk.edges))


async def run_walk(job: SourceJob, walk: DependencyWalk, at_most: int) -> Counter[SkipReason]:
    """Walk as far as is known and as `at_most` requests reach; returns how many were left out.

    Raises PagerDutyError, AccessDenied only if the walk can't even begin.
    """
    kept, hidden = await get_cached_dependencies(job.database, job.connection_id)
    left, left_out = at_most, Counter[SkipReason]()
    while frontier := walk.frontier():
        # Without the first one's nothing is known: whether it is hidden is asked each time.
        old = [node for node in frontier if needs_fetch(node, kept, hidden if walk.edges else {})]
        asked, left = old[:left], left - len(old[:left])
        told = await fetch_dependencies(job, asked)
        for node in frontier:
            known, edges = kept.get(node_key(node)), told.get(node)
            if isinstance(edges, tuple):
                walk.add_edges(node, edges)
            elif known is not None:
                walk.add_edges(node, facts.EDGES.from_json(known.data))
            elif isinstance(edges, AccessDenied) and not walk.edges:
                raise edges
            else:
                walk.skip(node)
                is_hidden = edges is not None or node_key(node) in hidden
                left_out[SkipReason.HIDDEN if is_hidden else SkipReason.UNREAD] += 1
    return left_out


async def walk_cached(job: SourceJob, service_id: str) -> DependencyWalk:
    """Walk what is remembered, without asking."""
    walk = DependencyWalk(service_id)
    await run_walk(job, walk, 0)
    return walk


async def fetch_dependencies(
    job: SourceJob, nodes: Sequence[NodeKey]
) -> Mapping[NodeKey, tuple[Edge, ...] | AccessDenied]:
    """Ask for each node's dependencies; some may be hidden from us. Raises PagerDutyError."""
    gate = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)

    async def ask_node(node: NodeKey) -> tuple[Edge, ...]:
        async with gate:
            known = await job.cache.get(
                job.connection_id, DEPENDENCIES, lambda: _fetch(job, node), node_key(node)
            )
            return facts.EDGES.from_json(known.data)

    told = await asyncio.gather(*map(ask_node, nodes), return_exceptions=True)
    found: dict[NodeKey, tuple[Edge, ...] | AccessDenied] = {}
    for node, edges in zip(nodes, told, strict=True):
        if isinstance(edges, BaseException) and not isinstance(edges, AccessDenied):
            raise edges
        if isinstance(edges, AccessDenied):
            await job.cache.put(job.connection_id, HIDDEN_DEPENDENCIES, {}, node_key(node))
        found[node] = edges
    return found


async def _fetch(job: SourceJob, node: NodeKey) -> object:
    kind, id_ = node
    try:
        answer = await job.client.get(f"/service_dependencies/{kind}s/{id_}")
    except NotFound:
        return []  # it was deleted, or is hidden from us
    return facts.EDGES.to_json(parse_all(read.parse_dependency, as_objects(answer.get("relationships"))))


async def _load_names(job: SourceJob) -> PagerDutyError | None:
    """See to it that names are known; without them ids are shown."""
    try:
        await services(job)
        await business_services(job)
    except PagerDutyError as error:
        return error
    return None


def node_key(node: NodeKey) -> str:
    return ":".join(node)


async def get_cached_dependencies(
    database: Database, connection_id: str
) -> tuple[CachedDependencies, CachedDependencies]:
    """Return the dependencies that are remembered, and that some are hidden from us, by `key_of`."""
    now = datetime.now(UTC)

    def read(tx: Transaction) -> tuple[CachedDependencies, CachedDependencies]:
        kept, hidden = (
            account_memory.list_objects(tx, connection_id, kind.name)
            for kind in (DEPENDENCIES, HIDDEN_DEPENDENCIES)
        )
        return kept, {
            key: row for key, row in hidden.items() if now - row.fetched_at < HIDDEN_DEPENDENCIES.ttl
        }

    return await database.read(read)


def needs_fetch(node: NodeKey, kept: CachedDependencies, hidden: CachedDependencies) -> bool:
    """Tell whether a node is to be asked for: it is not known, or not any more, nor known to be hidden."""
    known = kept.get(node_key(node))
    is_fresh = known is not None and datetime.now(UTC) - known.fetched_at < DEPENDENCIES.ttl
    return not is_fresh and node_key(node) not in hidden


SOURCE_READERS: Mapping[Source, SourceReader] = {Source.DEPENDENCIES: dependencies}
