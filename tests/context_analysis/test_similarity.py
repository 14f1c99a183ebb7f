"""Past incidents like this one, the nearer the more."""

import pytest

from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, PagerDutySuggestions, ResponderAction
from calmo_pagerduty.contexts.analysis.similarity import SimilarityMatch, find_similar, match_document
from calmo_pagerduty.contexts.analysis.title_index import TitleSimilarity
from calmo_pagerduty.contexts.sources import Source
from tests.support.incident_worlds import OWN, a_user, ago, around_it, depends, near, past, the_incident


def found_in(around: AssessmentInput) -> list[SimilarityMatch]:
    return find_similar(
        around, TitleSimilarity([incident.title for incident in around.past]), near(around).neighbourhood
    )


def test_the_same_title_counts_less_the_farther_its_service() -> None:
    graph = depends(("DB", "API"), ("API", OWN), (OWN, "SHOP"))
    services = ("FAR", "DB", "SHOP", OWN, "API")
    around = around_it(
        dependencies=graph, past=tuple(past(f"P{service}", ago(days=1), service) for service in services)
    )
    found = found_in(around)
    assert [(match.incident.service_id, match.hops, match.score) for match in found] == [
        (OWN, 0, 1.0),
        ("API", 1, 0.7),
        ("SHOP", 1, 0.7),
        ("DB", 2, pytest.approx(0.49)),
        ("FAR", None, pytest.approx(0.7**4, abs=1e-4)),
    ]


def test_what_is_about_something_else_is_not_alike() -> None:
    around = around_it(past=(past("P1", ago(days=1), title="Certificate of the mail gateway expires"),))
    assert found_in(around) == []


def test_of_equals_the_newest_comes_first() -> None:
    around = around_it(past=(past("P1", ago(days=9)), past("P3", ago(days=1)), past("P2", ago(days=1))))
    assert [match.incident.id for match in found_in(around)] == ["P2", "P3", "P1"]


def test_without_a_service_all_are_equally_far() -> None:
    around = around_it(incident=the_incident(service=None), past=(past("P1", ago(days=1)),))
    (match,) = found_in(around)
    assert match.hops is None
    assert match.score == pytest.approx(0.7**4, abs=1e-4)


def test_it_is_told_who_did_what_how_long_it_took_and_what_helped() -> None:
    began = ago(days=2)
    did = (
        ResponderAction(a_user("BO"), "resolved", ago(days=2, minutes=-30)),
        ResponderAction(a_user("AL"), "acknowledged", ago(days=2, minutes=-3)),
    )
    incident = past(
        "P1", began, responded=did, resolved_at=did[0].at, resolution="restarted\u202e it", number=7
    )
    told = match_document(SimilarityMatch(incident, 0.9, 0), around_it(past=(incident,)))
    assert [(who.who.name, who.did) for who in told.handled] == [("Al", "acknowledged"), ("Bo", "resolved")]
    assert told.resolved_after_seconds == 1800
    assert told.resolution is not None and told.resolution.text == "restarted it"
    assert told.incident.name == "#7"


def test_a_clock_that_is_wrong_makes_no_negative_duration() -> None:
    incident = past("P1", ago(days=2), resolved_at=ago(days=2, minutes=1))
    assert match_document(SimilarityMatch(incident, 0.9, 0), around_it()).resolved_after_seconds == 0


@pytest.mark.parametrize(
    ("hops", "named", "lacking", "agrees"),
    [
        (0, True, frozenset(), True),
        (0, False, frozenset(), False),
        (1, False, frozenset(), None),
        (1, True, frozenset(), True),
        (0, True, frozenset({Source.PAST_INCIDENTS}), None),
    ],
)
def test_pagerdutys_own_answer_is_set_beside_ours(
    hops: int, named: bool, lacking: frozenset[Source], agrees: bool | None
) -> None:
    own = PagerDutySuggestions(past=(("P1" if named else "P9", 40.0),))
    around = around_it(pagerduty_suggestions=own, missing_sources=lacking)
    assert (
        match_document(SimilarityMatch(past("P1", ago(days=1)), 0.9, hops), around).pagerduty_agrees is agrees
    )


def test_without_pagerdutys_answer_nobody_agrees_or_disagrees() -> None:
    assert (
        match_document(SimilarityMatch(past("P1", ago(days=1)), 0.9, 0), around_it()).pagerduty_agrees is None
    )
