"""What the account's own past teaches of causes, and that placebos stay clean whatever it teaches."""

import math
from datetime import timedelta

import numpy as np
import pytest

from calmo_pagerduty.contexts.analysis.cause_model import CauseModel, learn_causes
from calmo_pagerduty.contexts.analysis.cause_sources import (
    CauseSource,
    cause_sources,
    is_rollback,
    kind_of_change,
    shared,
)
from calmo_pagerduty.contexts.analysis.correlation import change_streams, incident_streams
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Change, PastIncident
from calmo_pagerduty.contexts.analysis.lead_times import STEPS, LeadTimes
from calmo_pagerduty.contexts.analysis.root_cause import find_root_cause
from calmo_pagerduty.contexts.analysis.streams import DAY, MINUTE
from tests.support.chance import repeatable
from tests.support.incident_worlds import OWN, ago, around_it, depends, near, past

MIGRATION, SETTING = "Schema migration 7", "Configuration: pool of node-3"


def model_of(around: AssessmentInput) -> tuple[CauseModel, dict[tuple[str, str], CauseSource]]:
    window = near(around)
    sources = cause_sources(window, [*change_streams(window), *incident_streams(window)])
    return learn_causes(window, sources), {source.key[1:]: source for source in sources}


def changes_of(service: str, summary: str, *minutes_ago: float) -> tuple[Change, ...]:
    return tuple(
        Change(f"{service}{summary[:3]}{minutes}", summary, ago(minutes=minutes), (service,))
        for minutes in minutes_ago
    )


def of_past(*days: float, service: str = OWN) -> tuple[PastIncident, ...]:
    return tuple(past(f"P{service}{day}", ago(days=day), service) for day in days)


DAYS = tuple(2.0 + 3 * number for number in range(9))


def before(days: tuple[float, ...], minutes: float = 6) -> tuple[float, ...]:
    """Return moments so long before the past incidents, in minutes before this one."""
    return tuple(day * 1440 + minutes for day in days)


@pytest.mark.parametrize(
    ("summary", "kind"),
    [
        ("Release 2231: smaller pool", "release #"),
        ("Release 9: dependency upgrades", "release #"),
        ("Build Success - Increase timeout to 30 s", "build success"),
        ("Feature flag X17 on for half of all", "feature flag # on"),
        ("", ""),
    ],
)
def test_changes_of_one_kind_share_the_words_before_their_particulars(summary: str, kind: str) -> None:
    assert kind_of_change(summary) == kind


def test_a_rollback_is_known_by_its_words() -> None:
    texts = ("Roll back release 7", "Revert “faster pool”", "rolled-back: cart", "Backed out 12")
    assert all(map(is_rollback, texts))
    assert not any(map(is_rollback, ("Rolling update of node-3", "Scroll backwards fixed", "Release 7")))


def test_half_of_a_weight_is_shared_equally_and_half_by_counts() -> None:
    assert shared([1, 3]) == pytest.approx([0.375, 0.625])
    assert sum(shared([5, 1, 1, 90])) == pytest.approx(1)


def test_the_density_of_leads_falls_adds_up_to_one_and_is_inverted() -> None:
    leads = LeadTimes({5 * MINUTE: 0.5, 20 * MINUTE: 0.5}, 0.2)
    densities = np.array([leads.at(lead) for lead in STEPS])
    assert (np.diff(densities) < 0).all()
    # Below a minute it is flat, and some comes after a day.
    assert 60 * densities[0] + np.trapezoid(densities, STEPS) == pytest.approx(1, abs=0.03)
    for lead in (90.0, 600.0, 1700.0):
        assert leads.seconds_above(leads.at(lead)) == pytest.approx(lead, rel=0.02)
    assert leads.seconds_above(densities[0] * 1.01) == 0
    # Half an hour before weighs as much as five minutes after.
    assert leads.seconds_above(leads.at(7200)) == pytest.approx(7500, rel=0.02)


def test_a_service_whose_changes_preceded_incidents_gains_and_the_others_lose() -> None:
    graph = depends(("API", OWN), ("DB", OWN))
    around = around_it(
        dependencies=graph,
        past=of_past(*DAYS),
        changes=(
            *changes_of("DB", SETTING, *before(DAYS)),
            *changes_of("API", SETTING, *before(DAYS, 500)),
        ),
    )
    model, sources = model_of(around)
    kind = kind_of_change(SETTING)
    assert model.weights["change", "DB", kind] > 2 * model.weights["change", "API", kind]
    told = model.histories["change"].precedents(sources["DB", kind])
    assert (told.preceded, told.of, told.rolled_back) == (9, 9, 0)
    assert told.expected < 0.2


def test_a_kind_of_change_that_preceded_incidents_elsewhere_gains_here_too() -> None:
    graph = depends(("DB", "API"), ("API", OWN))
    every = tuple(1440 * day + 300.0 for day in range(1, 29))
    around = around_it(
        dependencies=graph,
        past=of_past(*DAYS, service="API"),
        changes=(
            *changes_of("API", MIGRATION, *before(DAYS)),
            *changes_of("API", SETTING, *every),
            *changes_of("DB", MIGRATION, *(minutes + 900 for minutes in every[::3])),
            *changes_of("DB", SETTING, *(minutes + 700 for minutes in every[::3])),
        ),
    )
    model, _ = model_of(around)
    weights = model.weights
    migration, setting = (weights["change", "DB", kind_of_change(text)] for text in (MIGRATION, SETTING))
    assert migration > 1.5 * setting


def test_a_change_that_was_rolled_back_during_an_incident_is_attributed_to_it() -> None:
    graph = depends(("API", OWN), ("DB", OWN))
    both = (
        *changes_of("API", SETTING, *before(DAYS, 5)),
        *changes_of("DB", SETTING, *before(DAYS, 15)),
    )
    rollbacks = changes_of("DB", "Roll back release 9", *(day * 1440 - 10 for day in DAYS))
    around = around_it(dependencies=graph, past=of_past(*DAYS), changes=(*both, *rollbacks))
    model, sources = model_of(around)
    kind = kind_of_change(SETTING)
    assert model.weights["change", "DB", kind] > model.weights["change", "API", kind]
    assert model.histories["change"].precedents(sources["DB", kind]).rolled_back == 9


def test_what_happens_in_the_last_day_teaches_nothing() -> None:
    around = around_it(past=of_past(0.01, 0.5), changes=changes_of(OWN, SETTING, 20, 725))
    model, _ = model_of(around)
    assert model.histories["change"].own_incidents == 0


def test_a_rare_kind_on_a_service_that_always_changes_is_told_with_its_reasons() -> None:
    every = tuple(10.0 * number + 3 for number in range(4000))
    around = around_it(
        dependencies=depends(("DB", OWN)),
        past=of_past(*DAYS),
        changes=(
            *changes_of("DB", SETTING, *every),
            *changes_of("DB", MIGRATION, 7, *before(DAYS[:4])),
        ),
    )
    (candidate,) = find_root_cause(near(around)).candidates
    assert candidate.summary.text == MIGRATION
    assert candidate.chance > 0.5
    assert candidate.overall_chance is not None and candidate.overall_chance < 0.02
    assert candidate.because[0] == (
        "such a change came within the hour before 4 of the service's 9 incidents; 0.1 by chance"
    )
    assert candidate.because[1].startswith("of its kind 5 in ")
    assert candidate.because[-1].startswith("anything as telling comes by chance before 1 of ")
    same = find_root_cause(near(around))
    assert same.candidates[0].model_dump_json() == candidate.model_dump_json()


def test_by_chance_a_ratio_is_reached_as_often_as_is_said() -> None:
    """Random moments in a month: the share with anything as telling as p says is p, far into the tail."""
    luck = repeatable(11)
    rates = {"API": 1.5, "DB": 0.3, OWN: 0.7}
    changes: list[Change] = []
    for service, rate in rates.items():
        count = round(30 * rate)
        for number in range(count):
            minutes = 30 * 1440 * luck.random()
            changes.append(Change(f"{service}{number}", SETTING, ago(minutes=minutes), (service,)))
    around = around_it(dependencies=depends(("DB", "API"), ("API", OWN)), changes=tuple(changes))
    model, sources = model_of(around)
    for p in (0.05, 0.01, 0.001):
        ratio = _ratio_of(model, list(sources.values()), p)
        said = model.chance(sources.values(), ratio)
        covered = _covered(model, list(sources.values()), ratio)
        assert said <= p
        assert covered == pytest.approx(said, rel=0.1)


def _ratio_of(model: CauseModel, sources: list[CauseSource], p: float) -> float:
    low, high = 1e-9, 1e9
    for _ in range(80):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if model.chance(sources, middle) > p else (low, middle)
    return high


def _covered(model: CauseModel, sources: list[CauseSource], ratio: float) -> float:
    """Return the share of the month at which an event of the past reaches the ratio: without any rate."""
    spans = sorted(
        (at, at + model.leads["change"].seconds_above(ratio * source.rate / model.weights[source.key]))
        for source in sources
        for at in source.times.tolist()
    )
    covered, until = 0.0, 0.0
    for begin, end in spans:
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered / (30 * DAY + timedelta(minutes=1).total_seconds())
