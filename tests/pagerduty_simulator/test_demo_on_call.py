"""The demo's on-call faults are true: in the schedules, in the rules and in the log."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.demo_on_call import DEAD_END, FIRST_DELAY, NEVER_PAGED, OVERLOADED, OnCallTruth
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.resources import IncidentStatus
from tests.support.rest_account import id_of

Demo = tuple[Account, OnCallTruth, datetime]


@pytest.fixture(scope="module", params=range(8))
def demo(request: pytest.FixtureRequest) -> Demo:
    """The demo's account on eight days of the year, at eight times of the day."""
    seed: int = request.param
    now = datetime(2026, 1, 2, 1, 30, tzinfo=UTC) + seed * timedelta(days=43, hours=3)
    account = furnished_shop(now=lambda: now, seed=seed)
    return account, furnish_for_the_demo(account, incidents=100, days=120, seed=seed), now


def uncovered(demo: Demo, minutes: int = 10) -> list[datetime]:
    """Return the moments of the next three weeks at which nobody is on call on any level of the policy."""
    account, truth, now = demo
    policy = account.escalation_policies[truth.policy_id]
    begin = now.replace(minute=0, second=0)
    steps = [begin + timedelta(minutes=number * minutes) for number in range(21 * 24 * 60 // minutes)]
    missing = []
    for at in steps:
        with account.at(at):
            if not account.paged(policy, 0):
                missing.append(at)
    return missing


def test_next_week_has_one_gap_and_there_is_no_other(demo: Demo) -> None:
    _, truth, now = demo
    missing = uncovered(demo, minutes=30)
    begin, end = truth.gap
    assert missing == [begin + timedelta(minutes=30 * number) for number in range(len(missing))]
    assert missing[-1] + timedelta(minutes=30) == end
    berlin = begin.astimezone(ZoneInfo("Europe/Berlin"))
    assert (berlin.isoweekday(), berlin.hour) == (3, 17)
    monday = now.astimezone(ZoneInfo("Europe/Berlin")).date()
    assert berlin.isocalendar().week == (monday + timedelta(weeks=1)).isocalendar().week


def test_an_incident_in_the_gap_would_be_dropped(demo: Demo) -> None:
    account, truth, _ = demo
    with account.at(truth.gap[0] + timedelta(hours=1)):
        assert account.trigger(id_of(account.services, "Parcel tracking"), "Down") == ()
    assert account.dropped.pop().reason == "nobody_on_call"


def test_hanna_s_rule_has_never_paged_her_on_the_first_level(demo: Demo) -> None:
    account, truth, _ = demo
    hanna = account.users[truth.never_paged_user_id]
    (rule,) = hanna.rules("high")
    assert (hanna.name, rule.id) == (NEVER_PAGED, truth.never_paged_rule_id)
    assert rule.delay_minutes >= FIRST_DELAY
    assigned = [entry for entry in account.log.entries if entry.kind == "assign" and hanna in entry.users]
    assert assigned
    assert not [entry for entry in account.log.entries if entry.kind == "notify" and hanna in entry.users]


def test_the_rota_is_unfair_in_hours_and_in_nights(demo: Demo) -> None:
    account, _, now = demo
    schedule = account.belongings.schedules[id_of(account.belongings.schedules, "Logistics primary")]
    hours: Counter[str] = Counter()
    for shift in schedule.final_shifts(now - timedelta(days=112), now):
        hours[account.users[str(shift.user_id)].name] += (shift.end - shift.start) // timedelta(hours=1)
    assert hours[OVERLOADED] > 1.5 * sum(hours.values()) / len(hours)
    nights: Counter[str] = Counter()
    for entry in account.log.entries:
        if entry.kind == "notify" and account.incidents[entry.incident_id].service.name == "Parcel tracking":
            user = entry.users[0]
            nights[user.name] += entry.created_at.astimezone(ZoneInfo(user.time_zone)).hour < 6
    assert nights[OVERLOADED] > 10
    assert sum(nights.values()) - nights[OVERLOADED] == 0


def test_one_incident_s_path_was_exhausted_while_everybody_slept(demo: Demo) -> None:
    account, truth, _ = demo
    exhausted = [entry for entry in account.log.entries if entry.kind == "exhaust_escalation_path"]
    assert [entry.incident_id for entry in exhausted] == [truth.dead_end_incident_id]
    incident = account.incidents[exhausted[0].incident_id]
    assert incident.title == DEAD_END
    kinds = Counter(entry.kind for entry in account.log.of(incident.id))
    assert kinds == {"trigger": 1, "assign": 1, "notify": 2, "exhaust_escalation_path": 1, "resolve": 1}
    waited = exhausted[0].created_at - incident.created_at
    assert waited == timedelta(minutes=FIRST_DELAY)


def test_the_past_is_one_in_numbers_times_and_log(demo: Demo) -> None:
    account, _, now = demo
    in_order = [account.incidents[incident_id] for incident_id in account.incident_order]
    assert [incident.number for incident in in_order] == list(range(1, len(in_order) + 1))
    assert [incident.created_at for incident in in_order] == sorted(i.created_at for i in in_order)
    logged = [entry.created_at for entry in account.log.entries]
    assert logged == sorted(logged)
    assert logged[-1] < now
    assert all(incident.status is IncidentStatus.RESOLVED for incident in in_order)
    assert len(account.log.by_id) == len(account.log.entries)
    assert account.run_due_steps() == ()
