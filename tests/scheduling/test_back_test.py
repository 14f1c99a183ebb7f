"""Advice on swaps is tested on the account's own past, and is silent where the past speaks against it."""

from dataclasses import replace

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.analysis import analyse
from calmo_pagerduty.scheduling.back_test import BackTest, Choice, Verdict, back_test
from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest, on_call_roster
from calmo_pagerduty.snapshots.model import AccountSnapshot, Entry, Override
from tests.support.past_rotas import even_by_plan, even_in_truth, rota, uneven_by_plan, with_past
from tests.support.rota_accounts import HANDOFF, WEEK

UNEVEN = with_past(rota("UA", "UB", "UA", "UC"))


def outcome_of(account: AccountSnapshot, owners: dict[int, str], obvious: dict[int, str]) -> BackTest:
    """Test advice that gives each period's shifts, by their number, to others."""

    def advise(then: AccountSnapshot, now: int, days: int) -> Choice:
        request = OptimiseRequest(schedule="S1", days=days, min_rest_hours=0, off_weight=1, sleep_weight=1)
        roster = on_call_roster(then, request, now)
        ids = [shift.id for shift in roster.problem.shifts]
        return Choice(
            roster,
            {ids[number]: user_id for number, user_id in owners.items()},
            {ids[number]: user_id for number, user_id in obvious.items()},
        )

    return back_test(account, account.schedules[0], HANDOFF, advise)


def test_advice_that_made_the_past_more_even_than_the_obvious_move_is_better() -> None:
    # In each period Ann has the first and the third week, and somebody else the others.
    result = outcome_of(UNEVEN, {0: "UB", 2: "UC"}, {0: "UB"})
    assert result.verdict is Verdict.BETTER
    assert [period.window.end - period.window.start for period in result.periods] == [4 * WEEK] * 2
    assert sum(period.advised for period in result.periods) < sum(period.obvious for period in result.periods)


@pytest.mark.parametrize("owners", [{0: "UB"}, {1: "UA"}, {}])
def test_advice_that_is_no_better_than_the_obvious_move_is_not_shown(owners: dict[int, str]) -> None:
    result = outcome_of(UNEVEN, owners, {0: "UB"})
    assert (result.verdict, result.may_be_shown) == (Verdict.NOT_BETTER, False)


def test_a_past_that_we_can_not_render_is_no_test() -> None:
    # Ben took over all of Ann's weeks.
    [schedule] = UNEVEN.schedules
    stepped_in = tuple(
        replace(entry, user_id="UB" if entry.user_id == "UA" and entry.end <= HANDOFF else entry.user_id)
        for entry in schedule.entries or ()
    )
    overridden = replace(UNEVEN, schedules=(replace(schedule, entries=stepped_in),))
    # PagerDuty would show us the overrides. Here they are missing, so we can't tell what was planned.
    assert outcome_of(overridden, {0: "UB"}, {}).verdict is Verdict.UNPROVED


def test_what_counts_is_who_was_really_on_call() -> None:
    # Somebody stepped in for all of Ann's weeks, so to give those away would have changed nothing.
    [schedule] = UNEVEN.schedules
    stepped_in = with_past(
        replace(
            schedule,
            overrides=tuple(
                Override(f"O{entry.start}", entry.start, entry.end, "UB")
                for entry in schedule.entries or ()
                if entry.user_id == "UA" and entry.end <= HANDOFF
            ),
        )
    )
    result = outcome_of(stepped_in, {0: "UC"}, {})
    assert result.verdict is Verdict.NOT_BETTER
    assert all(period.advised == period.as_it_was for period in result.periods)


def test_a_short_history_is_said() -> None:
    result = outcome_of(with_past(rota("UA", "UB", "UA", "UC"), weeks=7), {0: "UB"}, {})
    assert result.verdict is Verdict.TOO_SHORT
    assert "eight weeks are needed" in result.sentence()
    [finding] = analyse(with_past(rota("UA", "UB", "UA", "UC"), weeks=7), HANDOFF).findings
    assert finding.evidence[1].words == result.sentence()


def test_the_finding_says_how_the_advice_would_have_done() -> None:
    [finding] = analyse(uneven_by_plan(1), HANDOFF).findings
    assert finding.evidence[1].data["verdict"] == "better"
    assert "In the last 2 periods of four weeks with such advice" in finding.evidence[1].words


def test_nothing_after_a_period_is_used_to_choose() -> None:
    [schedule] = UNEVEN.schedules
    seen: list[int] = []

    def advise(then: AccountSnapshot, now: int, _days: int) -> None:
        [known] = then.schedules
        late = [entry for entry in known.entries or () if entry.start < now]
        assert late == [entry for entry in past_of(schedule.entries or (), now)]
        seen.append(now)

    assert back_test(UNEVEN, schedule, HANDOFF, advise).verdict is Verdict.NO_ADVICE
    assert seen == [HANDOFF - 4 * WEEK, HANDOFF - 8 * WEEK]


def past_of(entries: tuple[Entry, ...], now: int) -> list[Entry]:
    whole = Span(0, now)
    return [replace(entry, end=min(entry.end, whole.end)) for entry in entries if entry.start < now]


def test_planted_rotas_are_found_and_placebos_are_silent() -> None:
    spoken = [len(analyse(uneven_by_plan(seed), HANDOFF).findings) for seed in range(8)]
    # Where a period has few shifts, the obvious move may be as good: then it is silent.
    assert sum(spoken) >= 4
    placebos = [make(seed) for make in (even_in_truth, even_by_plan) for seed in range(40)]
    silent = [not analyse(account, HANDOFF).findings for account in placebos]
    assert sum(silent) >= 0.95 * len(silent)
