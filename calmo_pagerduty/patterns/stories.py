"""Stories: incidents of several teams, or accounts of one owner, that belong together. Pure.

Two incidents of different services belong together for one of four reasons: one service depends on the
other; both depend on a common one; one change touched both; or the services begin together beyond chance, as
`dependencies.undeclared` tests it over all pairs of the accounts at a false discovery rate of 5 %. Chains of
such pairs are a story. Times are epoch seconds (UTC). Accounts are only those that the reader may see, so a
story shows nobody what is not theirs.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import networkx as nx

from calmo_pagerduty.dependencies.graph import ServiceGraph, graph_of
from calmo_pagerduty.dependencies.undeclared import TOGETHER, ProposedDependency, propose_dependencies
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.dependency_model import ServiceKey, ServiceKind
from calmo_pagerduty.snapshots.model import AccountSnapshot

#: Incidents of two services that depend on a third begin within this.
AT_ONCE = 5 * 60
#: Incidents follow a change within this.
AFTER_CHANGE = 3600
#: So many incidents of a service within that hour are looked at: in a storm, those before are left out.
MAX_OF_A_SERVICE = 20
#: Pairs of services are tested on so much of the past.
TESTED_SECONDS = 180 * 86_400


class Reason(StrEnum):
    DEPENDS = "one depends on the other"
    COMMON_UPSTREAM = "a common upstream service"
    SAME_CHANGE = "the same change"
    BEYOND_CHANCE = "they begin together beyond chance"


@dataclass(frozen=True, slots=True)
class StoryAccount:
    """An account that the reader sees. `changes` are (time, summary, ids of services)."""

    connection_id: str
    name: str
    snapshot: AccountSnapshot
    changes: tuple[tuple[int, str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class StoryPart:
    """An incident of a story. `service` is its key among all accounts: `CONNECTION/ID`."""

    connection_id: str
    incident_id: str
    number: int | None
    html_url: str | None
    service: ServiceKey
    at: int
    end: int | None


@dataclass(frozen=True, slots=True)
class StoryLink:
    """Why two services belong together. `what` names the upstream service or the change."""

    reason: Reason
    services: tuple[ServiceKey, ServiceKey]
    what: str = ""
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Parts in order of time. `teams` are names of teams, `accounts` of accounts."""

    parts: tuple[StoryPart, ...]
    links: tuple[StoryLink, ...]
    teams: tuple[str, ...]
    accounts: tuple[str, ...]


def service_key(connection_id: str, service_id: str) -> ServiceKey:
    return ServiceKey(ServiceKind.TECHNICAL, f"{connection_id}/{service_id}")


def parts_of(account: StoryAccount, window: Span) -> tuple[StoryPart, ...]:
    """Return the snapshot's incidents that began in the window."""
    return tuple(
        StoryPart(
            account.connection_id,
            incident.id,
            incident.number,
            incident.html_url,
            service_key(account.connection_id, incident.service_id),
            incident.created_at,
            incident.resolved_at,
        )
        for incident in account.snapshot.incidents
        if window.start <= incident.created_at < window.end
    )


def find_stories(accounts: Sequence[StoryAccount], parts: Iterable[StoryPart]) -> tuple[Story, ...]:
    """Return the stories among incidents of one owner's accounts, the newest first.

    A story has parts of at least two teams, or two accounts.
    """
    judge = _Judge(accounts)
    ordered = sorted(parts, key=lambda part: (part.at, part.connection_id, part.incident_id))
    linked = _linked(judge, ordered)
    found = []
    for members in nx.connected_components(linked):
        chosen = tuple(ordered[number] for number in sorted(members))
        links = {link for _, _, link in linked.subgraph(members).edges(data="link")}
        story = judge.story(chosen, links)
        if len(story.teams) > 1 or len(story.accounts) > 1:
            found.append(story)
    return tuple(sorted(found, key=lambda story: (-story.parts[0].at, story.parts[0].incident_id)))


def _linked(judge: "_Judge", ordered: Sequence[StoryPart]) -> nx.Graph:
    """Return which parts belong together, by their numbers: each with those of the hour before it.

    Parts that belong together already by others are not compared again, so a storm costs little.
    """
    linked: nx.Graph = nx.Graph()
    together = nx.utils.UnionFind()
    earlier: dict[ServiceKey, deque[int]] = {part.service: deque(maxlen=MAX_OF_A_SERVICE) for part in ordered}
    for number, part in enumerate(ordered):
        for service in judge.related(part.service, earlier.keys()):
            for other in earlier[service]:
                if ordered[other].at < part.at - AFTER_CHANGE or together[other] == together[number]:
                    continue
                link = judge.link(ordered[other], part)
                if link is not None:
                    linked.add_edge(other, number, link=link)
                    together.union(other, number)
        earlier[part.service].append(number)
    return linked


class _Judge:
    """Tells whether and why two incidents belong together."""

    def __init__(self, accounts: Sequence[StoryAccount]) -> None:
        self.accounts = {account.connection_id: account for account in accounts}
        self.graph = _merged(accounts)
        digraph = self.graph.digraph()
        self._above: Mapping[ServiceKey, frozenset[ServiceKey]] = {
            key: frozenset(nx.ancestors(digraph, key)) for key in self.graph.nodes
        }
        self._pairs = {
            frozenset((pair.supporting, pair.dependent)): pair for pair in _proposals(self.graph, accounts)
        }
        self._changes = sorted(
            (at, summary, frozenset(service_key(account.connection_id, id) for id in ids))
            for account in accounts
            for at, summary, ids in account.changes
        )
        self._change_times = [at for at, _, _ in self._changes]
        self._related: dict[ServiceKey, tuple[ServiceKey, ...]] = {}

    def related(self, key: ServiceKey, others: Collection[ServiceKey]) -> tuple[ServiceKey, ...]:
        """Return which of the other services may have a link with this one. `others` are always the same."""
        if key not in self._related:
            self._related[key] = tuple(sorted(other for other in others if self._may_link(key, other)))
        return self._related[key]

    def _may_link(self, left: ServiceKey, right: ServiceKey) -> bool:
        above_left, above_right, both = self._up(left), self._up(right), frozenset((left, right))
        return left != right and (
            left in above_right
            or right in above_left
            or not above_left.isdisjoint(above_right)
            or both in self._pairs
            or any(both <= keys for _, _, keys in self._changes)
        )

    def link(self, first: StoryPart, second: StoryPart) -> StoryLink | None:
        """Return why they belong together: the strongest reason; None if they don't."""
        left, right = first.service, second.service
        pair, apart = (min(left, right), max(left, right)), second.at - first.at
        if apart <= TOGETHER and (left in self._up(right) or right in self._up(left)):
            return StoryLink(Reason.DEPENDS, pair, self.name(left if left in self._up(right) else right))
        if change := self._change(first, second):
            return StoryLink(Reason.SAME_CHANGE, pair, change)
        common = self._up(left) & self._up(right)
        if common and apart <= AT_ONCE:
            return StoryLink(Reason.COMMON_UPSTREAM, pair, self.name(min(common)))
        proposal = self._pairs.get(frozenset(pair))
        if proposal is not None and apart <= TOGETHER:
            return StoryLink(Reason.BEYOND_CHANCE, pair, p=proposal.p)
        return None

    def story(self, parts: tuple[StoryPart, ...], links: Iterable[StoryLink]) -> Story:
        return Story(
            parts,
            tuple(sorted(links, key=lambda link: (link.reason, link.services, link.what))),
            tuple(sorted({team for part in parts for team in self.teams(part)})),
            tuple(sorted({self.accounts[part.connection_id].name for part in parts})),
        )

    def name(self, key: ServiceKey) -> str:
        node = self.graph.nodes.get(key)
        return key.id.partition("/")[2] if node is None else node.name

    def teams(self, part: StoryPart) -> tuple[str, ...]:
        snapshot, node = self.accounts[part.connection_id].snapshot, self.graph.nodes.get(part.service)
        ids = () if node is None else node.team_ids
        return tuple(team.name for team in snapshot.teams if team.id in ids)

    def _up(self, key: ServiceKey) -> frozenset[ServiceKey]:
        return self._above.get(key, frozenset())

    def _change(self, first: StoryPart, second: StoryPart) -> str | None:
        """Return the last change that touched both services within the hour before both incidents."""
        begin = bisect_left(self._change_times, second.at - AFTER_CHANGE)
        end = bisect_left(self._change_times, first.at + 1)
        both = {first.service, second.service}
        touching = [summary for _, summary, keys in self._changes[begin:end] if both <= keys]
        return touching[-1] if touching else None


def _merged(accounts: Sequence[StoryAccount]) -> ServiceGraph:
    """Return all accounts' services in a single graph, each key with its connection before it."""
    nodes, edges = {}, []
    for account in accounts:
        graph = graph_of(account.snapshot)
        keys = {key: ServiceKey(key.kind, f"{account.connection_id}/{key.id}") for key in graph.nodes}
        nodes.update({keys[key]: node for key, node in graph.nodes.items()})
        edges += [(keys[supporting], keys[dependent]) for supporting, dependent in graph.edges]
    return ServiceGraph(nodes, tuple(edges))


def _proposals(graph: ServiceGraph, accounts: Sequence[StoryAccount]) -> tuple[ProposedDependency, ...]:
    """Test all pairs of services over all accounts together, in the time that every account knows."""
    if not accounts:
        return ()
    end = min(account.snapshot.taken_at for account in accounts)
    begins = [
        min((incident.created_at for incident in account.snapshot.incidents), default=end)
        for account in accounts
    ]
    window = Span(min(end, max(end - TESTED_SECONDS, *begins)), end)
    incidents = [
        replace(incident, service_id=f"{account.connection_id}/{incident.service_id}")
        for account in accounts
        for incident in account.snapshot.incidents
    ]
    return propose_dependencies(graph, incidents, window)
