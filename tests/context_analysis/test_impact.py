"""The impact's score: weights, monotony, and that unknown is not zero."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.contexts.analysis.impact import FACTORS, IMPACT_LABELS, assess_impact, impact_label
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, LogLine
from calmo_pagerduty.contexts.model import Contribution, Impact
from calmo_pagerduty.contexts.sources import Source
from tests.support.incident_worlds import (
    BEGAN,
    OWN,
    a_service,
    an_alert,
    around_it,
    depends,
    near,
    the_incident,
)

EVERYTHING_LACKING = frozenset(Source)


def impact_of(around: AssessmentInput) -> Impact:
    return assess_impact(around, near(around).neighbourhood)


def factor(around: AssessmentInput, name: str) -> Contribution:
    return next(
        contribution for contribution in impact_of(around).contributions if contribution.factor == name
    )


def escalated(times: int) -> tuple[LogLine, ...]:
    return tuple(LogLine(f"L{number}", "escalate", BEGAN) for number in range(times))


def a_world(
    priority: str | None = "P3",
    business: int = 0,
    dependents: int = 0,
    urgency: str | None = "low",
    escalations: int = 0,
    responders: int = 0,
    alerts: int = 0,
    missing_sources: frozenset[Source] = frozenset(),
) -> AssessmentInput:
    return around_it(
        incident=the_incident(priority=priority, urgency=urgency, responders=responders),
        business_impacts=tuple(a_service(f"B{number}") for number in range(business)),
        dependencies=depends(*((OWN, f"S{number}") for number in range(dependents))),
        log=escalated(escalations),
        alerts=tuple(an_alert(f"A{number}") for number in range(alerts)),
        missing_sources=missing_sources,
    )


WORLDS = st.builds(
    a_world,
    priority=st.sampled_from([None, "P1", "p2", "P3", "Low", "Sev-1"]),
    business=st.integers(0, 6),
    dependents=st.integers(0, 12),
    urgency=st.sampled_from([None, "high", "low", "odd"]),
    escalations=st.integers(0, 6),
    responders=st.integers(0, 20),
    alerts=st.integers(0, 80),
    missing_sources=st.frozensets(st.sampled_from(Source), max_size=6),
)


def test_the_weights_sum_to_a_hundred() -> None:
    assert sum(weight for weight, _ in FACTORS.values()) == 100
    assert {name: weight for name, (weight, _) in FACTORS.items()}["priority"] == 30


@given(WORLDS)
def test_a_score_is_what_is_known_over_the_weight_that_is_known(around: AssessmentInput) -> None:
    found = impact_of(around)
    known = [contribution for contribution in found.contributions if contribution.points is not None]
    assert found.confidence == pytest.approx(sum(contribution.weight for contribution in known) / 100)
    if not known:
        assert found.score is None
        return
    points = sum(contribution.points or 0 for contribution in known)
    assert found.score == pytest.approx(
        100 * points / sum(contribution.weight for contribution in known), abs=0.051
    )
    assert found.score is not None
    assert 0 <= found.score <= 100
    assert all(0 <= (contribution.points or 0) <= contribution.weight for contribution in known)


WORSE: dict[str, list[Any]] = {
    "priority": ["low", "P3", "P1"],
    "business": list(range(8)),
    "dependents": [0, 1, 5, 50, 80],
    "urgency": ["low", "high"],
    "escalations": list(range(5)),
    "responders": [0, 1, 3, 8, 20],
    "alerts": [0, 1, 7, 50, 90],
}


@pytest.mark.parametrize("name", WORSE)
@given(around=WORLDS)
def test_the_worse_a_factor_the_higher_the_score(name: str, around: AssessmentInput) -> None:
    scores = [
        impact_of(a_world(**{name: value}, missing_sources=around.missing_sources)).score
        for value in WORSE[name]
    ]
    if None not in scores:
        assert scores == sorted(score for score in scores if score is not None)


@pytest.mark.parametrize("name", WORSE)
def test_each_factor_makes_a_difference(name: str) -> None:
    first, last = (impact_of(a_world(**{name: value})).score for value in (WORSE[name][0], WORSE[name][-1]))
    assert first is not None and last is not None and first < last


def test_unknown_is_not_zero() -> None:
    known = a_world(priority="P1", urgency="high")
    unknown = replace(known, missing_sources=frozenset({Source.BUSINESS_IMPACT, Source.DEPENDENCIES}))
    low, high = impact_of(known), impact_of(unknown)
    assert factor(known, "business_services").points == 0
    assert factor(unknown, "business_services").points is None
    assert factor(unknown, "blast_radius").points is None
    assert (low.score, high.score) == (40.0, 66.7)
    assert (low.confidence, high.confidence) == (1.0, 0.6)


def test_nothing_known_is_no_score() -> None:
    found = impact_of(around_it(missing_sources=EVERYTHING_LACKING))
    assert (found.score, found.confidence) == (None, 0)
    assert "Unknown" in found.words
    assert all(contribution.points is None for contribution in found.contributions)


def test_the_worst_of_all_is_nearly_a_hundred() -> None:
    worst = a_world("P1", 12, 50, "high", 3, 8, 50)
    found = impact_of(worst)
    assert found.score == 100
    assert found.words == "Severe impact: 100 of 100, 100% of the weight known"


@pytest.mark.parametrize(
    ("priority", "points"),
    [("Critical", 30), ("P2", 30), ("medium", 18), ("P5", 6), ("Sev-1", 30), ("Sev-3", 10)],
)
def test_priorities_count_by_severity_and_own_names_by_the_accounts_order(
    priority: str, points: float
) -> None:
    around = replace(a_world(priority=priority), priorities=("Sev-1", "Sev-2", "Sev-3"))
    assert factor(around, "priority").points == pytest.approx(points)


def test_a_priority_that_is_not_set_or_not_known_is_not_known() -> None:
    assert factor(a_world(priority=None), "priority").points is None
    assert factor(a_world(priority="Sev-1"), "priority").points is None


def test_without_pagerdutys_answer_the_graph_tells_business_services() -> None:
    graph = depends((OWN, "API"), ("API", "SHOP"), business=["SHOP"])
    around = around_it(dependencies=graph, missing_sources=frozenset({Source.BUSINESS_IMPACT}))
    told = factor(around, "business_services")
    assert (told.points, told.source, told.why) == (
        12.5,
        Source.DEPENDENCIES,
        "1 business service depends on it",
    )


def test_a_graph_that_was_read_in_part_tells_the_least() -> None:
    around = around_it(dependencies=depends((OWN, "API"), is_whole=False))
    assert factor(around, "blast_radius").why == "at least 1 service depends on it"


def test_an_exhausted_policy_is_the_worst_escalation() -> None:
    around = around_it(log=(LogLine("L", "exhaust_escalation_path", BEGAN),))
    assert factor(around, "escalation").points == 10


@pytest.mark.parametrize(
    ("score", "word"), [(0, "Low"), (24.9, "Low"), (25, "Moderate"), (50, "High"), (75, "Severe")]
)
def test_scores_have_words(score: float, word: str) -> None:
    assert impact_label(score, 1).startswith(word)
    assert IMPACT_LABELS[-1][0] == 0
