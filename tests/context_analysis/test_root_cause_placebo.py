"""How often chance alone is taken for a cause. Seeds are fixed: the same worlds every time."""

import math
import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Change
from calmo_pagerduty.contexts.analysis.root_cause import FALSE_DISCOVERY_RATE, find_root_cause
from calmo_pagerduty.contexts.analysis.streams import HOUR, poisson_chance
from tests.support.chance import repeatable
from tests.support.incident_worlds import (
    BEGAN,
    OWN,
    a_placebo,
    ago,
    around_it,
    depends,
    deploys,
    near,
    the_incident,
)

#: Each looks at hundreds of worlds.
pytestmark = pytest.mark.slow

WORLDS = 200


def at_most(share: float, of: int) -> float:
    """Three standard errors above a share: more isn't chance."""
    return share + 3 * math.sqrt(share * (1 - share) / of)


def test_where_nothing_leads_to_anything_at_most_one_in_twenty_shows_a_candidate() -> None:
    luck = repeatable(20260814)
    found = [find_root_cause(near(a_placebo(luck))) for _ in range(WORLDS)]
    alarms = sum(bool(cause.candidates) for cause in found) / WORLDS
    assert sum(cause.considered for cause in found) / WORLDS > 8
    assert 0.01 < alarms <= at_most(FALSE_DISCOVERY_RATE, WORLDS)


def test_where_work_and_failures_keep_the_same_hours_it_is_as_rare() -> None:
    """Nine of ten things come between 9 and 18 o'clock, incidents too."""
    luck = repeatable(7)
    alarms = 0
    for _ in range(WORLDS):
        around = a_placebo(luck)
        morning = BEGAN.replace(hour=9, minute=0)
        began = morning + timedelta(hours=9 * luck.random())

        def at_work(at: datetime, luck: random.Random = luck, morning: datetime = morning) -> datetime:
            days = math.floor((at - morning) / timedelta(days=1))
            return morning + timedelta(days=days, hours=9 * luck.random()) if luck.random() < 0.9 else at

        around = replace(
            around,
            now=began + timedelta(minutes=1),
            incident=replace(around.incident, created_at=began),
            changes=tuple(replace(change, at=at_work(change.at)) for change in around.changes),
            past=tuple(
                replace(incident, created_at=at_work(incident.created_at), resolved_at=None)
                for incident in around.past
            ),
        )
        alarms += bool(find_root_cause(near(around)).candidates)
    assert alarms / WORLDS <= at_most(FALSE_DISCOVERY_RATE, WORLDS)


def _since(around: AssessmentInput, days: float) -> AssessmentInput:
    """The same world with the data of its last days alone, though more was asked for."""
    first = around.now - timedelta(days=days)
    return replace(
        around,
        changes=tuple(change for change in around.changes if change.at >= first),
        past=tuple(incident for incident in around.past if incident.created_at >= first),
    )


@pytest.mark.parametrize("days", [1, 10])
def test_in_a_young_account_it_is_as_rare(days: int) -> None:
    luck = repeatable(days)
    alarms = sum(bool(find_root_cause(near(_since(a_placebo(luck), days))).candidates) for _ in range(WORLDS))
    assert alarms / WORLDS <= at_most(FALSE_DISCOVERY_RATE, WORLDS)


MONTH = timedelta(days=28)


def _a_week_later(change: Change) -> Change:
    """Shifted within the month that is known, so that nothing leaves it."""
    at = change.at + timedelta(days=7)
    return replace(change, at=at if at <= BEGAN else at - MONTH)


def _with_a_cause(luck: random.Random) -> tuple[AssessmentInput, str, float]:
    """A world in which a deployment led to the incident; its service's other ones come by chance."""
    rate = luck.choice([0.1, 0.4, 1.0])
    where = luck.choice([OWN, "API", "DB"])
    changes: list[Change] = []
    for service in (OWN, "API", "DB", "FAR"):
        changes += deploys(service, *(ago(days=28 * luck.random()) for _ in range(round(28 * rate))))
    cause = replace(deploys(where, ago(minutes=1 + 4 * luck.random()))[0], id="CAUSE")
    around = around_it(
        incident=the_incident(),
        dependencies=depends(("DB", "API"), ("API", OWN)),
        changes=(cause, *changes),
        changes_since=BEGAN - MONTH,
    )
    return around, where, rate


def test_a_planted_cause_ranks_first() -> None:
    luck = repeatable(1)
    worlds = [_with_a_cause(luck)[0] for _ in range(200)]
    firsts = [find_root_cause(near(around)).candidates[:1] for around in worlds]
    assert sum(first[0].thing.id == "CAUSE" for first in firsts if first) >= 0.95 * len(worlds)


@pytest.mark.parametrize("within", [HOUR, 6 * HOUR])
def test_with_changes_shifted_by_a_week_hits_fall_to_what_their_chances_say(within: float) -> None:
    luck = repeatable(3)
    hits, predicted, spread, shown = 0, 0.0, 0.0, 0
    for _ in range(WORLDS):
        around, _, _ = _with_a_cause(luck)
        shifted = replace(around, changes=tuple(map(_a_week_later, around.changes)))
        own = [change for change in shifted.changes if OWN in change.service_ids]
        p = poisson_chance(len(own) / 28, within)
        hits += any(0 <= near(shifted).lead(change.at) <= within for change in own)
        predicted, spread = predicted + p, spread + p * (1 - p)
        shown += bool(find_root_cause(near(shifted)).candidates)
    assert abs(hits - predicted) <= 3 * math.sqrt(spread)
    assert shown / WORLDS <= at_most(FALSE_DISCOVERY_RATE, WORLDS)
