"""A schedule's optimisation from a snapshot: moves in names, drafts, and findings that help."""

import json
from dataclasses import replace
from typing import Any

import pytest

from calmo_pagerduty.absences.model import Absence
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.pagerduty.schedule_drafts import DraftChange, draft_state
from calmo_pagerduty.scheduling.analysis import analyse
from calmo_pagerduty.scheduling.drafts import draft_digest
from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest, on_call_roster
from calmo_pagerduty.scheduling.optimisation import optimisation_document
from calmo_pagerduty.scheduling.roster import Unavailable
from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry
from tests.support.rota_accounts import (
    HANDOFF,
    WEEK,
    at,
    layer_schedule,
    rota_account,
    shift_schedule,
    weekly_layer,
)

#: Ann has four of the next eight weeks, though four people share the rota. The past was fair.
UNFAIR = ("UA", "UB", "UA", "UC", "UA", "UD", "UA", "UB")


def with_weeks(*owners: str) -> AccountSnapshot:
    account = rota_account(layer_schedule(weekly_layer("UA", "UB", "UC", "UD")))
    [schedule] = account.schedules
    past = tuple(entry for entry in schedule.entries or () if entry.end <= HANDOFF)
    future = tuple(
        Entry(HANDOFF + week * WEEK, HANDOFF + (week + 1) * WEEK, owner) for week, owner in enumerate(owners)
    )
    return replace(account, schedules=(replace(schedule, entries=(*past, *future)),))


def optimised(account: AccountSnapshot, **parts: Any) -> dict[str, Any]:
    request = OptimiseRequest.model_validate(
        {"schedule": "Primary", "min_rest_hours": 0, "with_history": False, **parts}
    )
    return optimisation_document(account, request, HANDOFF, lambda _user_id: True)


def test_one_move_and_two_moves_come_before_the_optimum() -> None:
    result = optimised(with_weeks(*UNFAIR), business_weight=1, off_weight=1, sleep_weight=1)
    # Shares are two weeks. Ann has two too many, Cat and Dan one too few each.
    assert result["present"]["unfairness"] == 10 * 2 * 168 + 4 * 168
    single, double = result["swaps"]
    assert [move["from"] for move in double["moves"]] == ["Ann", "Ann"]
    assert {move["to"] for move in double["moves"]} == {"Cat", "Dan"}
    assert (single["steps"], len(single["moves"]), single["is_exact"]) == (1, 1, True)
    assert 0 < single["share_of_possible"] < 1
    assert double["share_of_possible"] == 1.0
    assert result["best"]["objective"] == double["objective"]
    assert result["best"]["gap"] == 0.0


def test_a_draft_fits_the_schedule_until_that_changes() -> None:
    account = with_weeks(*UNFAIR)
    draft = optimised(account)["swaps"][1]["draft"]
    [schedule] = account.schedules
    changes = [
        DraftChange(
            at(row["start"][:-1], "UTC"), at(row["end"][:-1], "UTC"), row["user_id"], row["replaced_user_id"]
        )
        for row in draft["changes"]
    ]
    window = Span(at(draft["since"][:-1], "UTC"), at(draft["until"][:-1], "UTC"))
    entries = [(entry.start, entry.end, entry.user_id) for entry in schedule.entries or ()]
    state = draft_state(schedule.version, entries, window, draft["version"], changes)
    assert (state.is_current, state.missing) == (True, tuple(changes))
    other = [(start, end, "UX" if user == "UB" else user) for start, end, user in entries]
    assert not draft_state(schedule.version, other, window, draft["version"], changes).is_current
    assert not draft_state("v2", entries, window, draft["version"], changes).is_current


def test_the_draft_has_a_hash_of_version_and_changes() -> None:
    plan = optimised(with_weeks(*UNFAIR))["swaps"][0]
    assert plan["draft_sha256"] == draft_digest(plan["draft"])
    assert draft_digest(plan["draft"] | {"version": "0" * 64}) != plan["draft_sha256"]
    assert optimised(with_weeks("UA", "UB", "UC", "UD"))["swaps"][0]["draft"] is None


def test_leave_wishes_and_kept_shifts_are_followed() -> None:
    away = {"user": "Cat", "start": "2026-10-05T08:00:00Z", "end": "2026-12-05T08:00:00Z"}
    wish = {"user": "Dan", "start": "2026-10-06T08:00:00Z", "end": "2026-10-07T08:00:00Z", "price": 9}
    keep = {"user": "Ann", "start": "2026-10-19T00:00:00Z", "end": "2026-10-20T00:00:00Z"}
    account = with_weeks("UA", "UB", "UA", "UB", "UA", "UB", "UA", "UB")
    best = optimised(account, away=[away], wishes=[wish], keep=[keep])["best"]
    assert {move["to"] for move in best["moves"]} == {"Dan"}
    assert "Mon 2026-10-05 09:00" not in {move["shift"] for move in best["moves"]}
    assert "Mon 2026-10-19 09:00" not in {move["shift"] for move in best["moves"]}


def test_nobody_gets_a_shift_while_away_by_a_stored_calendar() -> None:
    account = replace(with_weeks(*UNFAIR), absences=(Absence("UC", HANDOFF, HANDOFF + 8 * WEEK),))
    request = OptimiseRequest(schedule="Primary", min_rest_hours=0, with_history=False)
    [cat] = [
        person for person in on_call_roster(account, request, HANDOFF).problem.people if person.name == "Cat"
    ]
    assert set(cat.unavailable.values()) == {Unavailable.CALENDAR}
    result = optimised(account)
    assert "Cat" not in {move["to"] for move in result["best"]["moves"]}
    assert "Cat" in {move["from"] for move in result["best"]["moves"]}


def test_what_cannot_be_is_explained_by_names() -> None:
    away = [
        {"user": user, "start": "2026-10-05T08:00:00Z", "end": "2026-10-13T08:00:00Z"}
        for user in ("Ann", "Ben", "Cat")
    ]
    account = with_weeks("UA", "UB", "UC", "UD")
    best = optimised(account, away=away, without=["Dan"])["best"]
    assert best["stop"] == "infeasible"
    assert best["explanation"][0] == (
        "no one can take Mon 2026-10-05 09:00: Ann on leave, Ben on leave, Cat on leave, Dan not in the pool"
    )


def test_nights_of_shifts_weigh_more_and_history_counts() -> None:
    account = rota_account(shift_schedule("UA", "UB"))
    request = OptimiseRequest(schedule="S3", days=7, min_rest_hours=0)
    problem = on_call_roster(account, request, HANDOFF).problem
    # From Monday nine to Tuesday nine: 10 h of business, 4 of off and 10 of sleep hours.
    assert problem.shifts[0].load == 10 * 1.0 + 4 * 1.5 + 10 * 2.0
    assert {person.name for person in problem.people} == {"Ann", "Ben"}
    assert all(person.history > 0 for person in problem.people)


def test_hidden_persons_loads_are_left_out() -> None:
    request = OptimiseRequest(schedule="Primary", min_rest_hours=0)
    result = optimisation_document(with_weeks(*UNFAIR), request, HANDOFF, lambda user_id: user_id == "UB")
    assert [row["name"] for row in result["people"]] == ["Ben"]
    assert result["people_hidden"] == 3


def test_the_same_question_gives_the_same_bytes() -> None:
    texts = {json.dumps(optimised(with_weeks(*UNFAIR)), sort_keys=True) for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize("schedule", ["Nothing", "S9"])
def test_an_unknown_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ScenarioInvalid):
        optimised(with_weeks(*UNFAIR), schedule=schedule)


def test_an_uneven_schedule_is_a_finding_and_an_even_one_is_not() -> None:
    [finding] = analyse(with_weeks("UA", "UB", "UA", "UB", "UA", "UB", "UA", "UB"), HANDOFF).findings
    share = finding.evidence[0].data["share_of_possible"]
    assert finding.title == f"2 moves would make Primary fairer: {round(100 * share)} % of what is possible"
    assert 0.5 < share < 1
    assert (finding.code, finding.about_persons) == ("fairer_swaps", False)
    assert finding.evidence[0].data["objective"] < finding.evidence[0].data["obvious_objective"]
    even = analyse(with_weeks("UA", "UB", "UC", "UD", "UA", "UB", "UC", "UD"), HANDOFF)
    assert (even.findings, even.metrics["uneven"]) == ((), 0)


def test_what_everybody_sees_without_us_is_no_finding() -> None:
    # To give Ann's next week to Cat, who has none, is the best move already.
    result = analyse(with_weeks(*UNFAIR), HANDOFF)
    assert (result.findings, result.metrics["uneven"]) == ((), 1)


@pytest.mark.parametrize("people", [2, 3, 4])
@pytest.mark.parametrize("turn", [1, 7])
def test_a_plain_rota_is_never_called_uneven(people: int, turn: int) -> None:
    users = ("UA", "UB", "UC", "UD")[:people]
    account = rota_account(layer_schedule(weekly_layer(*users, turn=turn * 86_400)))
    assert analyse(account, HANDOFF + 3 * 3600).findings == ()
