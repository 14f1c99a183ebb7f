"""Whom to involve, tested on the past itself; and misrouting."""

from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.contexts.analysis.inputs import (
    AssessmentInput,
    OnCall,
    PastIncident,
    Person,
    ResponderAction,
)
from calmo_pagerduty.contexts.analysis.recommendation import (
    find_misrouting,
    people_to_involve,
    recommend_people,
)
from calmo_pagerduty.contexts.analysis.responder_model import Backtest, leave_one_out_backtest, recency_weight
from calmo_pagerduty.contexts.analysis.similarity import find_similar
from calmo_pagerduty.contexts.analysis.title_index import TitleSimilarity
from calmo_pagerduty.contexts.model import PersonToInvolve, Recommendation
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.pagerduty.webhook_events import Reference
from tests.support.chance import repeatable
from tests.support.incident_worlds import (
    BEGAN,
    NOW,
    OWN,
    a_service,
    a_user,
    ago,
    around_it,
    depends,
    near,
    past,
    people,
    the_incident,
)


def likeness_of(around: AssessmentInput) -> TitleSimilarity:
    return TitleSimilarity([incident.title for incident in around.past])


def ranked(around: AssessmentInput) -> list[PersonToInvolve]:
    return people_to_involve(around, find_similar(around, likeness_of(around), near(around).neighbourhood))


def recommended(around: AssessmentInput) -> Recommendation:
    like, it = likeness_of(around), near(around).neighbourhood
    return recommend_people(around, find_similar(around, like, it), like, it)


def backtest(around: AssessmentInput, strength: float = 10.0) -> Backtest:
    return leave_one_out_backtest(around, likeness_of(around), near(around).neighbourhood, strength)


def specialists() -> AssessmentInput:
    """Ann handles latency and Bob disks, as always; four others are on call by turns."""
    kinds = [("High latency on checkout-1", "ANN"), ("Disk full on web-1", "BOB")]
    done = [
        past(f"P{day:02}", ago(days=day), title=kinds[day % 2][0], by=kinds[day % 2][1])
        for day in range(1, 31)
    ]
    called = tuple(OnCall(level, f"CALLED{level}") for level in range(1, 5))
    known = people("ANN", "BOB", *(on_call.person_id for on_call in called))
    return around_it(past=tuple(done), people=known, on_call=called)


def test_half_of_the_weight_is_gone_after_90_days() -> None:
    assert recency_weight(ago(days=90), BEGAN) == pytest.approx(0.5)
    assert recency_weight(ago(days=180), BEGAN) == pytest.approx(0.25)
    assert recency_weight(NOW + timedelta(days=1), NOW) == 1


def test_a_score_is_the_sum_of_likeness_and_age_as_counted_by_hand() -> None:
    graph = depends(("API", OWN))
    done = (past("P1", ago(days=90), by="ANN"), past("P2", ago(days=180), "API", by="ANN"))
    (person,) = ranked(around_it(dependencies=graph, past=done, people=people("ANN")))
    assert person.score == pytest.approx(0.5 + 0.7 * 0.25)
    assert [thing.id for thing in person.evidence] == ["P1", "P2"]
    assert person.reasons == ("handled 2 similar incidents, the last 90 days ago",)


def test_who_acknowledged_and_resolved_one_incident_handled_it_once() -> None:
    both = tuple(
        ResponderAction(a_user("ANN"), did, ago(days=1)) for did in ("acknowledged", "resolved", "annotated")
    )
    noted = (ResponderAction(a_user("BOB"), "annotated", ago(days=1)),)
    around = around_it(past=(past("P1", BEGAN, responded=both + noted),), people=people("ANN", "BOB"))
    assert [(person.who.id, person.score) for person in ranked(around)] == [("ANN", 1.0)]


def test_who_passed_an_incident_on_did_not_handle_it() -> None:
    did = (("ANN", "acknowledged"), ("BOB", "resolved"))
    deeds = tuple(ResponderAction(a_user(who), what, ago(days=1)) for who, what in did)
    around = around_it(past=(past("P1", BEGAN, responded=deeds),), people=people("ANN", "BOB"))
    assert [person.who.id for person in ranked(around)] == ["BOB"]


def test_former_members_and_machines_are_not_named() -> None:
    machine = ResponderAction(Reference("SVC", "service_reference"), "resolved", ago(days=1))
    done = (
        past("P1", ago(days=1), by="GONE"),
        past("P2", ago(days=1), by="LEFT"),
        past("P3", ago(days=1), responded=(machine,)),
    )
    around = around_it(past=done, people=people("GONE", is_active=False))
    assert ranked(around) == []
    assert recommended(around).reason.startswith("Nobody who is still active")


def test_who_is_on_call_comes_first_and_who_sleeps_later() -> None:
    noon = datetime(2026, 8, 14, 12, tzinfo=UTC)
    known = {
        "AWAKE": Person("AWAKE", "Awake", "Europe/London"),
        "ASLEEP": Person("ASLEEP", "Asleep", "Pacific Time (US & Canada)"),
        "CALLED": Person("CALLED", "Called", "Pacific Time (US & Canada)"),
        "NOWHERE": Person("NOWHERE", "Nowhere", "Middle/Earth"),
    }
    done = tuple(past(f"P{name}", ago(days=1), by=name) for name in known)
    around = around_it(now=noon, past=done, people=known, on_call=(OnCall(2, "CALLED"), OnCall(1, "CALLED")))
    found = ranked(around)
    assert [person.who.id for person in found] == ["CALLED", "AWAKE", "NOWHERE", "ASLEEP"]
    assert len({person.score for person in found}) == 1
    assert (found[0].level, found[0].is_asleep, found[2].is_asleep, found[2].local_time) == (
        1,
        True,
        None,
        None,
    )
    assert "on call now, level 1" in found[0].reasons
    assert found[3].reasons[-1] == "probably asleep: Fri 05:00 (America/Los_Angeles)"


def test_who_handled_what_is_found_again_leaving_one_out() -> None:
    """Of 30, the first latency and the first disk have nothing before them that is alike: nobody would have
    been named, so they tell nothing. Of the others, the half counts before which most was known.
    """
    around = specialists()
    backtested = backtest(around)
    assert backtested == Backtest(14, 1.0, 0.0)
    found = recommended(around)
    assert [person.who.id for person in found.people] == ["ANN"]
    assert (found.reason, found.tested_on, found.hit_at_3, found.baseline_hit_at_3) == ("", 14, 1.0, 0.0)


def test_only_what_was_known_before_an_incident_is_used_to_test() -> None:
    """Each is handled by whoever handles no other: nothing could have told."""
    done = tuple(past(f"P{day}", ago(days=day), by=f"U{day}") for day in range(1, 21))
    around = around_it(past=done, people=people(*(f"U{day}" for day in range(1, 21))))
    assert backtest(around) == Backtest(10, 0.0, 0.0)


def test_where_less_is_known_than_before_any_tested_incident_nobody_is_named() -> None:
    """All past incidents are of one kind and many; this one is like a single old one elsewhere."""
    around = specialists()
    assert backtest(around, strength=0.3) == Backtest(0)
    old = past("POLD", ago(days=170), "API", title="Certificate expires in 9 days", by="BOB")
    alone = around_it(
        incident=the_incident(title="Certificate expires in 3 days"),
        past=(*around.past, old),
        people=around.people,
        on_call=around.on_call,
        dependencies=depends(("API", OWN)),
    )
    found = recommended(alone)
    assert found.people == ()
    assert "like this one" in found.reason


def test_names_no_better_than_who_is_on_call_are_not_shown() -> None:
    luck = repeatable(2)
    names = [f"U{number}" for number in range(12)]
    done = tuple(past(f"P{day}", ago(days=day), by=luck.choice(names)) for day in range(1, 60))
    most = sorted(names, key=lambda name: -sum(did.responded[0].who.id == name for did in done))[:3]
    called = tuple(OnCall(level, name) for level, name in enumerate(most, 1))
    found = recommended(around_it(past=done, people=people(*names), on_call=called))
    assert found.people == ()
    assert found.hit_at_3 is not None and found.baseline_hit_at_3 is not None
    assert found.hit_at_3 <= found.baseline_hit_at_3
    assert "no more often than who is on call now" in found.reason


def test_of_too_few_incidents_nothing_is_concluded() -> None:
    around = specialists()
    found = recommended(around_it(past=around.past[:9], people=around.people, on_call=around.on_call))
    assert (found.people, found.tested_on) == ((), 7)
    assert "at least 10 are needed" in found.reason


@pytest.mark.parametrize(
    ("lacking", "words"),
    [(Source.HISTORY, "history could not be read"), (Source.ON_CALL, "Who is on call could not")],
)
def test_what_could_not_be_read_is_the_reason(lacking: Source, words: str) -> None:
    around = specialists()
    bare = around_it(past=around.past, people=around.people, missing_sources=frozenset({lacking}))
    found = recommended(bare)
    assert found.people == ()
    assert words in found.reason
    assert found.baseline_hit_at_3 is None


def handed(count: int, of: int, team: str = "TDATA") -> tuple[PastIncident, ...]:
    return tuple(
        past(f"P{number}", ago(days=number + 1), handed_to_team_ids=(team,) if number < count else ())
        for number in range(of)
    )


@pytest.mark.parametrize(
    ("count", "of", "is_told"),
    [(4, 5, True), (3, 5, False), (4, 4, False), (40, 100, True), (38, 100, False), (0, 9, False)],
)
def test_misrouting_is_told_where_it_is_sure(count: int, of: int, is_told: bool) -> None:
    """Wilson's lower bounds: 4 of 5 .376, 3 of 5 .231, 40 of 100 .309, 38 of 100 .291."""
    found = find_misrouting(around_it(past=handed(count, of), names={"TDATA": "Data"}))
    assert [(finding.team.name, finding.handed, finding.of) for finding in found] == (
        [("Data", count, of)] if is_told else []
    )


def test_misrouting_tells_what_to_do() -> None:
    graph = depends((OWN, "SHOP"))
    (finding,) = find_misrouting(around_it(dependencies=graph, past=handed(4, 5), names={"TDATA": "Data"}))
    assert finding.at_least == pytest.approx(0.3755, abs=1e-4)
    assert (
        finding.advice == "Point Checkout at the escalation policy of Data: 4 of its 5 incidents ended there."
    )


def test_other_services_incidents_tell_nothing_of_this_ones_routing() -> None:
    around = around_it(past=handed(9, 9), incident=the_incident(service=a_service("OTHER")))
    assert find_misrouting(around) == ()
    assert find_misrouting(around_it(past=handed(9, 9), incident=the_incident(service=None))) == ()
