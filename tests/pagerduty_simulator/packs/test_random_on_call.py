"""Random accounts have everything that on-call analyses must get right; the same seed gives the same."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from pagerduty_simulator.packs.random_on_call import Case, pages_of_case, random_cases, random_on_call
from pagerduty_simulator.pages import Page
from pagerduty_simulator.resources import ROUND_ROBIN

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)


def paged(seed: int) -> tuple[Case, list[Page]]:
    account = random_on_call(now=NOW, seed=seed)
    (case,) = random_cases(account, seed=seed, count=1)
    return case, pages_of_case(account, case)


def test_the_same_seed_pages_the_same_people_at_the_same_times() -> None:
    assert [paged(seed) for seed in range(20)] == [paged(seed) for seed in range(20)]
    assert [paged(seed) for seed in range(20)] != [paged(seed) for seed in range(20, 40)]


def test_two_hundred_cases_reach_every_branch() -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        account = random_on_call(now=NOW, seed=seed)
        (case,) = random_cases(account, seed=seed, count=1)
        pages = pages_of_case(account, case)
        seen.update({dropped.reason for dropped in account.dropped})
        seen.update({page.channel for page in pages})
        seen.update({f"level {page.level}" for page in pages})
        seen["repeated"] += any(page.loop for page in pages)
        seen["nobody is paged"] += not pages and not account.dropped
        seen["exhausted"] += any(account.is_exhausted(incident_id) for incident_id in account.incidents)
        policies = account.escalation_policies.values()
        seen["round robin"] += any(ROUND_ROBIN in policy.strategies for policy in policies)
        seen.update({schedule.kind for schedule in account.belongings.schedules.values()})
        seen.update({incident.urgency for incident in account.incidents.values()})
        assert all(case.at <= page.at <= case.at + timedelta(hours=8) for page in pages)
    for name in (
        "disabled", "maintenance", "nobody_on_call", "email", "phone", "sms", "push_notification", "whatsapp",
        "level 1", "level 2", "level 3", "repeated", "nobody is paged", "exhausted", "round robin",
        "schedule", "schedule_v3", "high", "low",
    ):  # fmt: skip
        assert seen[name] > 0, (name, seen)
