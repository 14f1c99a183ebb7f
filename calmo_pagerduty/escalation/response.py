"""The analysis of how incidents are answered: curves per level, P(missed), advice on delays, parts of time.

Pure. High urgency only: low urgency doesn't escalate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from calmo_pagerduty.escalation.decomposition import Decomposition, decompose, sum_up
from calmo_pagerduty.escalation.delay_advice import (
    Assignment,
    DelayAdvice,
    NoAdvice,
    Path,
    advise_delay,
    is_enough,
)
from calmo_pagerduty.escalation.episodes import Episode, EpisodeEnd, Response, response_of
from calmo_pagerduty.escalation.log_lint import past_incidents
from calmo_pagerduty.escalation.response_model import ExpectedResponse, expected_response
from calmo_pagerduty.kernel.local_bands import Band, band_at
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import AccountSnapshot, Policy, Urgency
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from calmo_pagerduty.statistics.estimators import Interval, wilson_interval
from calmo_pagerduty.statistics.survival import (
    Duration,
    SurvivalCurve,
    SurvivalTest,
    compare_survival,
    kaplan_meier,
)

TOO_FEW = "the model of this policy has too few data"


@dataclass(frozen=True, slots=True)
class LevelCurve:
    """A level's curve of the minutes from assignment to acknowledgement.

    `borrowed` says whose data it is if the level has too few of its own; None if it is the level's own.
    """

    level: int
    delay_minutes: int
    own: SurvivalCurve
    curve: SurvivalCurve | None
    borrowed: str | None


@dataclass(frozen=True, slots=True)
class BandCurve:
    """Level 1 by the hour of the week at which it was assigned, in the assigned person's zone."""

    band: Band
    curve: SurvivalCurve


@dataclass(frozen=True, slots=True)
class PolicyResponse:
    """How a policy's incidents are answered. `reason` says why `expected` is None.

    `is_bound`: a delay is longer than any observed wait, so `missed` and the mean are upper bounds.
    """

    policy: Policy
    incidents: int
    acknowledged: int
    escalated: int
    escalated_share: Interval | None
    median_minutes: float | None
    levels: tuple[LevelCurve, ...]
    bands: tuple[BandCurve, ...]
    #: Business against sleep hours, by the log-rank test; None with too few data.
    asleep_differs: SurvivalTest | None
    expected: ExpectedResponse | None
    is_bound: bool
    reason: str
    #: On the delay of each level, in order.
    advice: tuple[DelayAdvice | NoAdvice, ...]
    parts: Decomposition


@dataclass(frozen=True, slots=True)
class AccountResponse:
    policies: tuple[PolicyResponse, ...]
    parts: Decomposition
    #: High-urgency incidents whose log doesn't show an assignment.
    without_log: int


def responses_of(index: OnCallIndex, now: int) -> tuple[tuple[Response, ...], int]:
    """Return the answers to the high-urgency incidents, and how many have no assignment in the log."""
    high = [item for item in past_incidents(index.snapshot, now) if item.incident.urgency is Urgency.HIGH]
    known = [response for item in high if (response := response_of(index, item, now)) is not None]
    total = sum(incident.urgency is Urgency.HIGH for incident in index.snapshot.incidents)
    return tuple(known), total - len(known)


def account_response(snapshot: AccountSnapshot, now: int) -> AccountResponse:
    """Return how each policy's incidents are answered, up to `now` (epoch seconds)."""
    index = OnCallIndex(snapshot)
    responses, without_log = responses_of(index, min(now, snapshot.taken_at))
    by_policy: dict[str, list[Response]] = {}
    for response in responses:
        policy_id = response.episodes[0].policy_id
        if policy_id is not None:
            by_policy.setdefault(policy_id, []).append(response)
    pools = _pools(responses)
    policies = tuple(
        _policy_response(index, policy, by_policy[policy.id], pools)
        for policy in sorted(snapshot.policies, key=lambda policy: policy.id)
        if policy.id in by_policy
    )
    return AccountResponse(policies, _parts(index, responses), without_log)


def _policy_response(
    index: OnCallIndex, policy: Policy, responses: Sequence[Response], pools: dict[int, SurvivalCurve]
) -> PolicyResponse:
    episodes = [
        episode for response in responses for episode in response.episodes if episode.policy_id == policy.id
    ]
    levels = tuple(
        _level_curve(number, rule.delay_minutes, episodes, pools)
        for number, rule in enumerate(policy.rules, 1)
    )
    curves = [level.curve for level in levels if level.curve is not None]
    delays = tuple(rule.delay_minutes for rule in policy.rules)
    expected, reason, is_bound = None, "", False
    advice: tuple[DelayAdvice | NoAdvice, ...] = (NoAdvice(TOO_FEW),) * len(levels)
    if len(curves) == len(levels) and curves:
        expected = expected_response(curves, delays, policy.num_loops)
        is_bound = not all(curve.is_known_at(delay) for curve, delay in zip(curves, delays, strict=True))
        advice = tuple(_advice(level.level, episodes, curves, delays, policy.num_loops) for level in levels)
    else:
        lacking = [str(level.level) for level in levels if level.curve is None]
        reason = f"insufficient data on level {', '.join(lacking)}: 30 assignments and 10 answers are needed"
    escalated = sum(
        any(episode.how is EpisodeEnd.ESCALATED for episode in response.episodes) for response in responses
    )
    bands = _band_curves(index, episodes)
    return PolicyResponse(
        policy,
        len(responses),
        sum(response.acknowledged_at is not None for response in responses),
        escalated,
        wilson_interval(escalated, len(responses)),
        kaplan_meier(_whole(response) for response in responses).quantile(0.5),
        levels,
        tuple(BandCurve(band, kaplan_meier(durations)) for band, durations in bands.items()),
        _sleep_test(bands),
        expected,
        is_bound,
        reason,
        advice,
        _parts(index, responses),
    )


def _advice(
    level: int,
    episodes: Sequence[Episode],
    curves: Sequence[SurvivalCurve],
    delays: tuple[int, ...],
    num_loops: int,
) -> DelayAdvice | NoAdvice:
    """Return advice on a level's delay from its own assignments: a borrowed curve proves nothing of it."""
    own = [Assignment(item.start, _duration(item)) for item in episodes if item.level == level]
    others = tuple(curve for number, curve in enumerate(curves, 1) if number != level)
    return advise_delay(own, Path(others, delays, num_loops, level))


def _level_curve(
    number: int, delay_minutes: int, episodes: Iterable[Episode], pools: dict[int, SurvivalCurve]
) -> LevelCurve:
    own = kaplan_meier(_duration(episode) for episode in episodes if episode.level == number)
    if is_enough(own):
        return LevelCurve(number, delay_minutes, own, own, None)
    pool = pools.get(min(number, 2))
    if number > 1 and pool is not None and is_enough(pool):
        return LevelCurve(number, delay_minutes, own, pool, "levels 2 and up of all policies")
    return LevelCurve(number, delay_minutes, own, None, None)


def _pools(responses: Iterable[Response]) -> dict[int, SurvivalCurve]:
    """Return the account's curve of levels 2 and up together, under 2."""
    later = [
        _duration(episode)
        for response in responses
        for episode in response.episodes
        if episode.level is not None and episode.level > 1
    ]
    return {2: kaplan_meier(later)}


def _duration(episode: Episode) -> Duration:
    return Duration(episode.minutes, episode.how is EpisodeEnd.ACKNOWLEDGED)


def _whole(response: Response) -> Duration:
    end = response.episodes[-1].end
    return Duration((end - response.created_at) / 60, response.acknowledged_at is not None)


def _band_curves(index: OnCallIndex, episodes: Iterable[Episode]) -> dict[Band, list[Duration]]:
    bands: dict[Band, list[Duration]] = {band: [] for band in Band}
    for episode in episodes:
        if episode.level != 1 or not episode.user_ids:
            continue
        user = index.users.get(episode.user_ids[0])
        zone = time_zone((user.time_zone if user else None) or index.snapshot.time_zone)
        if zone is not None:
            bands[band_at(episode.start, zone)].append(_duration(episode))
    return bands


def _sleep_test(bands: dict[Band, list[Duration]]) -> SurvivalTest | None:
    awake, asleep = bands[Band.BUSINESS], bands[Band.SLEEP]
    if not is_enough(kaplan_meier(awake)) or not is_enough(kaplan_meier(asleep)):
        return None
    return compare_survival(awake, asleep)


def _parts(index: OnCallIndex, responses: Iterable[Response]) -> Decomposition:
    return sum_up(time for response in responses if (time := decompose(index, response)) is not None)
