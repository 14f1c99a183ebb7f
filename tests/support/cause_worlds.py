"""Kinds of worlds with a planted cause upstream, and the oracle that knows by which law each was drawn.

`python -m tests.support.cause_worlds SEEDS [FIRST_SEED]` prints the table of docs/context.md.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import build_neighbourhood
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Change
from calmo_pagerduty.contexts.analysis.root_cause import find_root_cause
from calmo_pagerduty.contexts.analysis.truncation import truncate_input
from pagerduty_simulator.packs import vocabulary
from pagerduty_simulator.packs.company import CompanySize
from pagerduty_simulator.packs.truth import CauseLaw, GroundTruth, PackWorld
from pagerduty_simulator.packs.upstream_change import UpstreamWorld, upstream_change
from tests.support.surroundings_of import surroundings_of

_BEGIN: Final = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
_EVERY_TEN_MINUTES: Final = 144.0
_BUSY_SIZE: Final = CompanySize(days=32.0)

KINDS: Final[Mapping[str, UpstreamWorld]] = MappingProxyType(
    {
        "own change": UpstreamWorld(0),
        "one hop": UpstreamWorld(1),
        "two hops": UpstreamWorld(2),
        "three hops": UpstreamWorld(3),
        "one hop, twice the changes": UpstreamWorld(1, busyness=2.0),
        "two hops, twice the changes": UpstreamWorld(2, busyness=2.0),
        "two hops, five times the changes": UpstreamWorld(2, busyness=5.0),
        "two hops, five times the changes, precedents": UpstreamWorld(2, busyness=5.0, precedents=6),
        "two hops, five times the changes, rolled back": UpstreamWorld(
            2, busyness=5.0, precedents=4, is_rolled_back=True
        ),
        "one hop, a change every ten minutes": UpstreamWorld(1, changes_per_day=_EVERY_TEN_MINUTES),
        "one hop, a change every ten minutes, a rare kind breaks": UpstreamWorld(
            1, changes_per_day=_EVERY_TEN_MINUTES, breaking_per_day=0.2
        ),
        "one hop, a change every ten minutes, a common kind breaks": UpstreamWorld(
            1, changes_per_day=_EVERY_TEN_MINUTES, breaking_per_day=2.0, precedents=5
        ),
    }
)


class OracleVerdict(NamedTuple):
    """The change that the oracle names, if it is likelier the cause than everything else together; and the
    likelihood ratio of "there is a cause".
    """

    first: str | None
    ratio: float


class Verdict(NamedTuple):
    """What was found in a world: the first candidate, if any; what the oracle finds, and what it would find
    if somebody told it at which distance the cause lies.
    """

    seed: int
    truth: GroundTruth
    first: str | None
    oracle: OracleVerdict
    told: OracleVerdict


class Row(NamedTuple):
    """One kind of world: of `worlds`, in how many the planted change is first, and clean placebos."""

    kind: str
    first_seed: int
    worlds: int
    ours: int
    oracle: int
    told: int
    clean: int
    silent: int


def world_of(name: str, seed: int, *, placebo: bool) -> PackWorld:
    kind = KINDS[name]
    moment = _BEGIN + (seed % 400) * timedelta(hours=13, minutes=7)
    shape = _BUSY_SIZE if kind.changes_per_day else None
    return upstream_change(kind, now=lambda: moment, seed=seed, placebo=placebo, shape=shape)


def verdict_of(name: str, seed: int, *, placebo: bool) -> Verdict:
    world = world_of(name, seed, placebo=placebo)
    inputs = truncate_input(surroundings_of(world.account, world.truth.incident_id))
    neighbourhood = build_neighbourhood(world.truth.service_id, inputs.dependencies)
    candidates = find_root_cause(CorrelationWindow(inputs, neighbourhood)).candidates
    law = world.truth.law
    assert law is not None
    return Verdict(
        seed,
        world.truth,
        candidates[0].thing.id if candidates else None,
        _judged(inputs, law, law.cause_shares_anywhere),
        _judged(inputs, law, law.cause_shares),
    )


def _judged(inputs: AssessmentInput, law: CauseLaw, shares: Mapping[tuple[str, str], float]) -> OracleVerdict:
    ratios = likelihood_ratios(inputs, law, shares)
    total = sum(ratios.values())
    named = [change_id for change_id, ratio in ratios.items() if ratio > 1 + total - ratio]
    return OracleVerdict(named[0] if named else None, total)


def likelihood_ratios(
    inputs: AssessmentInput, law: CauseLaw, shares: Mapping[tuple[str, str], float]
) -> dict[str, float]:
    """Return by how much likelier each change is where it is if it led to the incident than by chance.

    It is the share of causes × the density of their lead / the true rate. Their sum is the likelihood ratio
    of "there is a cause": no test at the same error rate finds more (Neyman and Pearson, 1933).
    """
    low, high = law.lead_minutes
    found: dict[str, float] = {}
    for change in inputs.changes:
        lead = (inputs.incident.created_at - change.at) / timedelta(minutes=1)
        if low <= lead <= high:
            key = (change.service_ids[0], template_of(change))
            ratio = shares.get(key, 0.0) / (high - low) / (law.change_rates.get(key, 1.0) / 1440)
            if ratio > 0:
                found[change.id] = ratio
    return found


def template_of(change: Change) -> str:
    """Return the kind of a simulated change."""
    for template in vocabulary.CHANGES:
        if change.summary.startswith(template.split("#")[0].split("@")[0]):
            return template
    return ""


def row_of(name: str, seeds: range) -> Row:
    """Judge worlds and placebos of one kind. The oracle alarms in no more placebos than ours does."""
    planted = [verdict_of(name, seed, placebo=False) for seed in seeds]
    placebos = [verdict_of(name, seed, placebo=True) for seed in seeds]
    alarms = sum(verdict.first is not None for verdict in placebos)
    return Row(
        name,
        seeds.start,
        len(seeds),
        sum(verdict.first == verdict.truth.origin for verdict in planted),
        _found(
            [(verdict.truth, verdict.oracle) for verdict in planted],
            _limit([verdict.oracle for verdict in placebos], alarms),
        ),
        _found(
            [(verdict.truth, verdict.told) for verdict in planted],
            _limit([verdict.told for verdict in placebos], alarms),
        ),
        len(seeds) - alarms,
        sum(verdict.first is None for verdict in planted),
    )


def _limit(placebos: Sequence[OracleVerdict], alarms: int) -> float:
    """Return the ratio that so many placebos exceed, at most."""
    ranked = sorted((verdict.ratio for verdict in placebos), reverse=True)
    return ranked[alarms] if alarms < len(ranked) else -math.inf


def _found(planted: Sequence[tuple[GroundTruth, OracleVerdict]], limit: float) -> int:
    return sum(verdict.first == truth.origin and verdict.ratio > limit for truth, verdict in planted)


def table(seeds: range) -> Iterator[str]:
    yield "| kind of world | change first | oracle | share | told where | no candidate | clean placebos |"
    yield "|---|---|---|---|---|---|---|"
    for name in KINDS:
        row = row_of(name, seeds)
        share = f"{row.ours / row.oracle:.2f}" if row.oracle else "–"
        yield (
            f"| {name} | {row.ours} of {row.worlds} | {row.oracle} | {share} | {row.told} | {row.silent}"
            f" | {row.clean / row.worlds:.1%} |"
        )


if __name__ == "__main__":
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for line in table(range(first, first + count)):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
