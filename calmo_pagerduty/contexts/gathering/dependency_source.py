"""Read the dependencies around the incident's service, those of each service at most once a day.

Source: PagerDuty's REST API has no list of all, only `GET /service_dependencies/…/{id}` per service.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, auto

from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.account.cache import DEPENDENCIES, HIDDEN_DEPENDENCIES
from calmo_pagerduty.contexts.account_cache_store import CachedRow
from calmo_pagerduty.contexts.analysis import parse_accounts as read
from calmo_pagerduty.contexts.analysis.dependency_walk import DependencyWalk, NodeKey
from calmo_pagerduty.contexts.analysis.parse_accounts import Edge
from calmo_pagerduty.contexts.analysis.parse_incidents import parse_all
from calmo_pagerduty.contexts.gathering.account_sources import business_services, services
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult, partial_result
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.pagerduty.errors import AccessDenied, NotFound, PagerDutyError

#: How many services one context reads; the backfill reads the others.
MAX_REQUESTS = 60
MAX_CONCURRENT_REQUESTS = 6
CachedDependencies = Mapping[str, CachedRow]


class SkipReason(Enum):
    """Why the dependencies of a service are unknown."""

    UNREAD = auto()
    HIDDEN = auto()


async def dependencies(job: SourceJob) -> SourceResult:
    service_id = job.service_id
    if service_id is None:
        return job.not_applicable("service")
    walk = DependencyWalk(service_id)
    skipped = await run_walk(job, walk, MAX_REQUESTS)
    error = await _load_names(job)
    data = {"is_whole": not skipped.total()}
    if unread := skipped[SkipReason.UNREAD]:
        reason = f"the dependencies of {unread} services are still being read"
        return partial_result(data, len(walk.edges), reason, wants_more=True)
    if hidden := skipped[SkipReason.HIDDEN]:
        reason = f"PagerDuty hides the dependencies of {hidden} services from us"
        return partial_result(data, len(walk.edges), reason)
    if error is not None:
        return partial_result(data, len(walk.edges), f"without the names of services: {error}")
    return SourceResult(data, len(walk.edges))


async def run_walk(job: SourceJob, walk: DependencyWalk, at_most: int) -> Counter[SkipReason]:
    """Walk as far as the cache and `at_most` requests reach; count the skipped services by reason.

    Raises PagerDutyError; AccessDenied only if the first service's dependencies are hidden.
    """
    cached, hidden = await get_cached_dependencies(job.database, job.connection_id)
    left, skipped = at_most, Counter[SkipReason]()
    while frontier := walk.frontier():
        # Without the first service's dependencies the walk is empty: request them even if they were hidden.
        missing = [node for node in frontier if needs_fetch(node, cached, hidden if walk.edges else {})]
        batch, left = missing[:left], left - len(missing[:left])
        fetched = await fetch_dependencies(job, batch)
        for node in frontier:
            row, edges = cached.get(node_key(node)), fetched.get(node)
            if isinstance(edges, tuple):
                walk.add_edges(node, edges)
            elif row is not None:
                walk.add_edges(node, codec.EDGES.from_json(row.data))
            elif isinstance(edges, AccessDenied) and not walk.edges:
                raise edges
            else:
                walk.skip(node)
                is_hidden = edges is not None or node_key(node) in hidden
                skipped[SkipReason.HIDDEN if is_hidden else SkipReason.UNREAD] += 1
    return skipped


async def walk_cached(job: SourceJob, service_id: str) -> DependencyWalk:
    """Walk the cached dependencies, without a request."""
    walk = DependencyWalk(service_id)
    await run_walk(job, walk, 0)
    return walk


async def fetch_dependencies(
    job: SourceJob, nodes: Sequence[NodeKey]
) -> Mapping[NodeKey, tuple[Edge, ...] | AccessDenied]:
    """Read each node's dependencies; AccessDenied for a node that the token may not see.

    Raises PagerDutyError.
    """
    slots = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)

    async def fetch_node(node: NodeKey) -> tuple[Edge, ...]:
        async with slots:
            entry = await job.cache.get(
                job.connection_id, DEPENDENCIES, lambda: _fetch(job, node), node_key(node)
            )
            return codec.EDGES.from_json(entry.data)

    results = await asyncio.gather(*map(fetch_node, nodes), return_exceptions=True)
    edges_by_node: dict[NodeKey, tuple[Edge, ...] | AccessDenied] = {}
    for node, edges in zip(nodes, results, strict=True):
        if isinstance(edges, BaseException) and not isinstance(edges, AccessDenied):
            raise edges
        if isinstance(edges, AccessDenied):
            await job.cache.put(job.connection_id, HIDDEN_DEPENDENCIES, {}, node_key(node))
        edges_by_node[node] = edges
    return edges_by_node


async def _fetch(job: SourceJob, node: NodeKey) -> object:
    kind, id_ = node
    try:
        answer = await job.client.get(f"/service_dependencies/{kind}s/{id_}")
    except NotFound:
        return []  # the service was deleted, or is hidden from us
    return codec.EDGES.to_json(parse_all(read.parse_dependency, as_objects(answer.get("relationships"))))


async def _load_names(job: SourceJob) -> PagerDutyError | None:
    """Fill the cache of services, for their names. Return the error that prevents it: then ids are shown."""
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
    """Return the cached dependencies, and the marks of those that are hidden from us, both by `node_key`."""
    now = datetime.now(UTC)

    def read(tx: Transaction) -> tuple[CachedDependencies, CachedDependencies]:
        cached, hidden = (
            cache_store.list_objects(tx, connection_id, kind.name)
            for kind in (DEPENDENCIES, HIDDEN_DEPENDENCIES)
        )
        return cached, {
            key: row for key, row in hidden.items() if now - row.fetched_at < HIDDEN_DEPENDENCIES.ttl
        }

    return await database.read(read)


def needs_fetch(node: NodeKey, cached: CachedDependencies, hidden: CachedDependencies) -> bool:
    """Return whether a node's dependencies must be requested: not cached or too old, and not hidden."""
    row = cached.get(node_key(node))
    is_fresh = row is not None and datetime.now(UTC) - row.fetched_at < DEPENDENCIES.ttl
    return not is_fresh and node_key(node) not in hidden


SOURCE_READERS: Mapping[Source, SourceReader] = {Source.DEPENDENCIES: dependencies}
