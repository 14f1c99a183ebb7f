"""A whole assessment: a cascade, an empty account, a large one, hostile texts, byte for byte."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.contexts.analysis import document as facts, truncation as omissions
from calmo_pagerduty.contexts.analysis.assessment import assess
from calmo_pagerduty.contexts.analysis.inputs import (
    AssessmentInput,
    Change,
    Dependencies,
    LogLine,
    Maintenance,
    OnCall,
    ThisIncident,
)
from calmo_pagerduty.contexts.analysis.title_index import TitleIndex
from calmo_pagerduty.contexts.model import Assessment
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.pagerduty.webhook_events import Reference
from tests.support.chance import repeatable
from tests.support.incident_worlds import (
    BEGAN,
    NOW,
    OWN,
    a_placebo,
    a_user,
    ago,
    an_alert,
    an_open,
    around_it,
    depends,
    deploys,
    past,
    the_incident,
)
from tests.support.known_accounts import a_database_cascade, a_large_account


def test_a_cascade_from_the_database_is_told_as_one() -> None:
    told = assess(a_database_cascade())
    found = told.root_cause.candidates
    assert [candidate.thing.id for candidate in found] == ["PAPI", "PDB", "CDB0"]
    assert [thing.name for thing in found[1].path] == ["Db", "Api", "Checkout"]
    assert told.surrounding.failing_path == found[1].path
    assert {reach.thing.id: reach.hops for reach in told.surrounding.upstream} == {"API": 1, "DB": 2}
    assert {reach.thing.id: reach.has_open_incident for reach in told.surrounding.downstream} == {
        "MAIL": True
    }
    assert [reach.thing.name for reach in told.surrounding.business] == ["Shop"]
    assert [
        (other.incident.id, other.where, other.hops, other.pagerduty_agrees) for other in told.others
    ] == [
        ("PAPI", "upstream", 1, False),
        ("PDB", "upstream", 2, True),
        ("PMAIL", "downstream", 1, False),
    ]
    assert [(change.change.id, change.hops) for change in told.changes] == [("CDB0", 2), ("CCHECKOUT0", 0)]
    assert told.similar[0].incident.id == "P002" and told.similar[0].pagerduty_agrees
    assert told.recurrence is not None and told.recurrence.label == "frequent"
    assert [person.who.name for person in told.recommendation.people] == ["Ann"]
    assert told.impact.confidence == 1
    assert told.omitted == ()


def test_for_the_database_itself_its_own_change_is_the_candidate() -> None:
    around = a_database_cascade()
    its_own = ThisIncident(
        "PDB", "Db is down", ago(minutes=3), "triggered", service=Reference("DB", "service")
    )
    told = assess(replace(around, incident=its_own))
    assert [(candidate.thing.id, candidate.hops) for candidate in told.root_cause.candidates] == [("CDB0", 0)]
    assert {reach.thing.id for reach in told.surrounding.downstream} == {"API", "SEARCH", OWN, "MAIL"}


def test_in_an_empty_account_an_assessment_says_what_it_does_not_know() -> None:
    empty = AssessmentInput(NOW, ThisIncident("P1", "", BEGAN, "triggered"))
    told = assess(empty)
    assert told.root_cause.candidates == () and "There was nothing to look at" in told.root_cause.reason
    assert told.recommendation.people == () and told.recommendation.reason
    assert told.recurrence is None
    assert (told.impact.score, told.similar, told.changes, told.omitted) == (0.0, (), (), ())
    all_lacking = assess(replace(empty, missing_sources=frozenset(Source)))
    assert (all_lacking.impact.score, all_lacking.impact.confidence) == (None, 0)


def test_the_same_surroundings_give_the_same_bytes_in_any_order_and_with_any_memory() -> None:
    luck = repeatable(11)
    for around in (a_database_cascade(), a_placebo(luck)):
        first = assess(around).model_dump_json()
        turned = replace(
            around,
            past=tuple(reversed(around.past)),
            changes=tuple(reversed(around.changes)),
            open_incidents=tuple(reversed(around.open_incidents)),
            alerts=tuple(reversed(around.alerts)),
            dependencies=replace(
                around.dependencies, nodes=dict(reversed(list(around.dependencies.nodes.items())))
            ),
        )
        memory = TitleIndex().with_titles(["Something else", "High latency of disks", "磁盘"])
        assert assess(around).model_dump_json() == first
        assert assess(turned).model_dump_json() == first
        assert assess(around, memory).model_dump_json() == first
        assert (
            assess(around, memory.with_titles(incident.title for incident in around.past)).model_dump_json()
            == first
        )


def test_the_order_in_which_a_process_keeps_sets_makes_no_difference() -> None:
    program = (
        "from tests.support.known_accounts import a_database_cascade;"
        "from calmo_pagerduty.contexts.analysis.assessment import assess;"
        "print(assess(a_database_cascade()).model_dump_json())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(folder for folder in sys.path if folder)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert json.loads(outputs.pop())["root_cause"]["candidates"]


@settings(deadline=None, max_examples=60)
@given(lacking=st.frozensets(st.sampled_from(Source)), seed=st.integers(0, 10))
def test_whatever_is_lacking_an_assessment_is_made(lacking: frozenset[Source], seed: int) -> None:
    luck = repeatable(seed)
    told = assess(replace(a_placebo(luck, services=6), missing_sources=lacking))
    assert Assessment.model_validate_json(told.model_dump_json()) == told
    assert (told.recurrence is None) == (Source.HISTORY in lacking)


@settings(deadline=None, max_examples=100)
@given(text=st.text(max_size=300), other=st.text(max_size=300))
def test_hostile_texts_are_told_clean(text: str, other: str) -> None:
    around = around_it(
        incident=the_incident(title=text, priority=other, urgency=text),
        past=(past("P1", ago(days=1), title=other, resolution=text),),
        notes=(LogLine("N1", "annotate", NOW, a_user("ANN"), text),),
        changes=(Change("C1", text, ago(minutes=1), (OWN,), source=other, reason=text),),
        maintenance=(Maintenance("M1", BEGAN, NOW, text),),
    )
    json_text = assess(around).model_dump_json()
    assert not any(hidden in json_text for hidden in ("\u202e", "\u200b", "\u0000"))
    assert json_text.encode()


def test_what_there_is_too_much_of_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(omissions, "MAX_PAST_INCIDENTS", 10)
    monkeypatch.setattr(omissions, "MAX_CHANGES", 20)
    around = around_it(
        alerts=tuple(an_alert(f"A{number:03}") for number in range(facts.MAX_ALERTS + 1)),
        past=tuple(past(f"P{day:02}", ago(days=day)) for day in range(1, 40)),
        changes=deploys(OWN, *(ago(minutes=10 * number) for number in range(1, 60))),
        open_incidents=tuple(an_open(f"O{number}", "ELSEWHERE", BEGAN) for number in range(60)),
        dependencies=depends(*((OWN, f"S{number:03}") for number in range(facts.MAX_DEPENDENCY_NODES + 1))),
    )
    told = assess(around)
    assert (len(told.alerts), told.alert_count) == (facts.MAX_ALERTS, facts.MAX_ALERTS + 1)
    assert told.recurrence is not None
    assert (told.recurrence.of, told.recurrence.window_days) == (10, 10.0)
    assert told.omitted == (
        "10 of 39 past incidents were looked at",
        "20 of 59 changes were looked at",
        "50 of 51 alerts are listed",
        "50 of 60 incidents around it are listed",
        "500 of 501 services downstream are listed",
    )


def test_what_was_read_twice_counts_once() -> None:
    around = a_database_cascade()
    doubled = replace(
        around,
        past=around.past * 2 + (past("PINCIDENT", BEGAN),),
        changes=around.changes * 2,
        open_incidents=around.open_incidents * 2,
        alerts=around.alerts * 2,
    )
    assert assess(doubled) == assess(around)


def test_a_large_account_is_assessed_right() -> None:
    told = assess(a_large_account())
    assert [similar.incident.id for similar in told.similar] == ["PSAME"]
    assert [candidate.lead_seconds for candidate in told.root_cause.candidates] == [60]
    assert told.root_cause.considered > 20
    assert told.recurrence is not None and told.recurrence.count == 1
    assert told.omitted == ()


def test_an_incident_from_a_wrong_clock_is_assessed() -> None:
    tomorrow = replace(a_database_cascade(), incident=the_incident(created_at=NOW + timedelta(days=1)))
    long_ago = replace(a_database_cascade(), incident=the_incident(created_at=ago(days=3000)))
    assert assess(tomorrow).root_cause.candidates == ()
    assert assess(long_ago).root_cause.candidates == ()


def test_an_edge_to_a_service_that_was_not_read_is_kept_without_a_name() -> None:
    around = around_it(dependencies=Dependencies({}, frozenset({("X", OWN)})))
    (reach,) = assess(around).surrounding.upstream
    assert (reach.thing.id, reach.thing.name, reach.thing.kind) == ("X", None, "technical_service")


def test_people_on_call_are_told_with_their_clock() -> None:
    around = replace(a_database_cascade(), on_call=(OnCall(2, "ANN"), OnCall(1, "UNKNOWN")))
    first, second = assess(around).on_call
    assert (first.who.id, first.who.name, first.is_asleep, first.local_time) == ("UNKNOWN", None, None, None)
    assert (second.who.name, second.is_asleep, second.local_time) == (
        "Ann",
        False,
        "Fri 13:00 (Europe/London)",
    )


def test_what_only_reads_contexts_does_not_load_the_heavy_libraries() -> None:
    program = (
        "import sys, calmo_pagerduty.contexts.analysis.inputs;"
        "import calmo_pagerduty.kernel.time_zones;"
        "import calmo_pagerduty.contexts.model;"
        "print({'numpy', 'scipy', 'networkx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
