"""What PagerDuty sends is read as far as it makes sense; nothing that it sends makes the reading fail."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.analysis import (
    parse_accounts as reading_accounts,
    parse_incidents as reading_incidents,
    parse_logs as reading_logs,
)
from calmo_pagerduty.contexts.analysis.dependency_walk import MAX_UPSTREAM_HOPS, DependencyWalk
from calmo_pagerduty.contexts.analysis.parse_accounts import Edge

AT = "2026-06-01T12:00:00Z"
WHO = {"id": "PU", "type": "user_reference", "summary": "Ann"}
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "id",
    "type",
    "created_at",
    "title",
    "summary",
    "status",
    "service",
    "teams",
    "assignments",
    "priority",
    "incident_number",
    "urgency",
    "body",
    "content",
    "user",
    "agent",
    "channel",
    "note",
    "timestamp",
    "services",
    "correlation_reason",
    "incident",
    "score",
    "escalation_policy",
    "name",
    "time_zone",
    "supporting_service",
    "dependent_service",
    "escalation_level",
    "schedule",
    "end",
    "start_time",
    "end_time",
    "description",
    "last_status_change_by",
    "resolved_at",
    "incidents_responders",
    "alert_key",
    "html_url",
)
READERS = [
    *(
        getattr(reading_incidents, name)
        for name in (
            "parse_this_incident",
            "parse_alert",
            "parse_note",
            "parse_log_line",
            "parse_open_incident",
            "parse_past_incident",
            "parse_change",
            "parse_related_change",
            "parse_scored_incident",
            "parse_related_incident",
            "parse_impacted_service",
        )
    ),
    *(
        getattr(reading_accounts, name)
        for name in (
            "parse_service",
            "parse_business_service",
            "parse_dependency",
            "parse_person",
            "parse_on_call",
            "parse_maintenance",
            "parse_priority",
            "parse_referenced_names",
        )
    ),
]


@given(st.dictionaries(st.sampled_from(FIELDS), ODD), st.booleans())
def test_whatever_is_sent_is_read_or_left_out(item: dict[str, Any], looks_right: bool) -> None:
    if looks_right:
        item = {**item, "id": "PX", "created_at": AT, "timestamp": AT}
    for read in READERS:
        read(item)


def past(**of: Any) -> dict[str, Any]:
    service = {"id": "PS", "type": "service_reference"}
    return {
        "id": "Q1",
        "title": "Slow",
        "created_at": AT,
        "status": "resolved",
        "service": service,
        **of,
    }


def test_who_resolved_is_told_by_the_list_already() -> None:
    by_a_person = reading_incidents.parse_past_incident(
        past(resolved_at="2026-06-01T13:00:00Z", last_status_change_by=WHO)
    )
    assert by_a_person is not None
    assert [(did.who.id, did.did) for did in by_a_person.responded] == [("PU", "resolved")]
    assert not by_a_person.is_auto_resolved
    by_itself = reading_incidents.parse_past_incident(
        past(last_status_change_by={"id": "PS", "type": "service_reference"})
    )
    assert by_itself is not None and by_itself.is_auto_resolved and by_itself.responded == ()


def test_texts_are_cleaned_and_cut() -> None:
    found = reading_incidents.parse_this_incident(past(title="a\u202eb\x00c" + "x" * 5000))
    assert found is not None
    assert found.title.startswith("abcxxx") and len(found.title) <= 1024


def test_links_that_lead_elsewhere_are_dropped() -> None:
    found = reading_incidents.parse_this_incident(past(html_url="https://evil.example/pagerduty.com"))
    assert found is not None and found.url is None


def line(kind: str, minute: int, agent: dict[str, Any] | None = WHO, **of: Any) -> dict[str, Any]:
    at = f"2026-06-01T12:{minute:02}:00Z"
    return {"id": f"R{minute}", "type": f"{kind}_log_entry", "created_at": at, "agent": agent, **of}


def test_a_log_tells_who_did_what_and_how_it_ended() -> None:
    other = {"id": "PO", "type": "user_reference", "summary": "Bob"}
    entries = [
        line("resolve", 9, note="Rolled back"),
        line("annotate", 5, other, channel={"summary": "Disk?"}),
        line("acknowledge", 4),
        line("acknowledge", 3),
        line("notify", 2, None),
        line("trigger", 1, None),
    ]
    how = reading_logs.summarise_handling(
        reading_incidents.parse_all(reading_incidents.parse_log_line, entries)
    )
    assert [(did.who.name, did.did) for did in how.responded] == [
        ("Ann", "acknowledged"),
        ("Bob", "annotated"),
        ("Ann", "resolved"),
    ]
    assert how.resolution == "Rolled back"
    assert not how.is_auto_resolved
    assert facts.HANDLING.from_json(facts.HANDLING.to_json(how)) == how


def test_without_a_resolution_the_last_note_tells_how_it_ended() -> None:
    entries = [line("annotate", 2, note="Restarted"), line("resolve", 3, None)]
    how = reading_logs.summarise_handling(
        reading_incidents.parse_all(reading_incidents.parse_log_line, entries)
    )
    assert how.resolution == "Restarted" and how.is_auto_resolved


def edges(*pairs: tuple[str, str]) -> dict[str, list[Edge]]:
    """Return the edges at each node: pairs of who supports and who depends."""
    found: dict[str, list[Edge]] = {}
    for lower, upper in pairs:
        edge = ("technical_service", lower, "technical_service", upper)
        for end in (lower, upper):
            found.setdefault(end, []).append(edge)
    return found


def walked(known: dict[str, list[Edge]], start: str) -> DependencyWalk:
    walk = DependencyWalk(start)
    while frontier := walk.frontier():
        for node in frontier:
            walk.add_edges(node, known.get(node[1], ()))
    return walk


def ids(hops: dict[tuple[str, str], int]) -> dict[str, int]:
    return {id_: hop for (_, id_), hop in hops.items()}


def test_a_walk_goes_three_hops_up_and_all_the_way_down() -> None:
    chain = edges(*((f"S{number}", f"S{number + 1}") for number in range(20)))
    walk = walked(chain, "S10")
    assert ids(walk.upstream) == {"S10": 0, "S9": 1, "S8": 2, "S7": 3}
    assert ids(walk.downstream) == {f"S{number}": number - 10 for number in range(10, 21)}
    assert walk.nearest_upstream(3) == ("S10", "S9", "S8")


@pytest.mark.parametrize(
    "pairs", [[("A", "A")], [("A", "B"), ("B", "A")], [("A", "B"), ("B", "C"), ("C", "A")]]
)
def test_cycles_end(pairs: list[tuple[str, str]]) -> None:
    walk = walked(edges(*pairs), "A")
    assert all(hop <= MAX_UPSTREAM_HOPS for hop in walk.upstream.values())
    assert len(walk.edges) == len(pairs)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_a_walk_reaches_what_a_search_of_the_whole_graph_reaches(pairs: list[tuple[int, int]]) -> None:
    named = [(f"S{lower}", f"S{upper}") for lower, upper in pairs]
    walk = walked(edges(*named), "S0")

    def reached(step: list[tuple[str, str]], most: int) -> dict[str, int]:
        hops, level = {"S0": 0}, {"S0"}
        for hop in range(1, most + 1):
            level = {to for origin, to in step if origin in level} - set(hops)
            hops |= dict.fromkeys(level, hop)
        return hops

    assert ids(walk.downstream) == reached(named, 20)
    assert ids(walk.upstream) == reached([(upper, lower) for lower, upper in named], MAX_UPSTREAM_HOPS)
