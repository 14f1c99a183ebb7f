"""The simulation equals the pages that the simulated PagerDuty really makes, in random accounts.

The account's own side is written from PagerDuty's documentation and imports nothing of ours.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.escalation.model import Assignment, Page, Simulation
from calmo_pagerduty.escalation.simulation import simulate_with
from calmo_pagerduty.escalation.urgencies import urgency_at
from calmo_pagerduty.snapshots.model import Urgency
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from pagerduty_simulator import pages
from pagerduty_simulator.packs.random_on_call import Case, pages_of_case, random_cases, random_on_call
from tests.support.snapshot_over_rest import snapshot_over_rest

#: Clocks change in Europe, America and Lord Howe in the weeks after this.
NOW = datetime(2026, 10, 19, 6, 30, tzinfo=UTC)
LASTING = timedelta(hours=8)
#: Together 200 cases.
ACCOUNTS, CASES = 20, 10
MANY = 200

Told = tuple[int, int, int, str, str, str]


def of_ours(page: Page) -> Told:
    return page.at, page.level, page.pass_number, page.user_id, page.rule_id, page.contact_method_id


def of_theirs(page: pages.Page) -> Told:
    assert page.level is not None
    at = int(page.at.timestamp())
    return at, page.level, page.loop + 1, page.user_id, page.rule_id, page.contact_method_id


def spaced(cases: list[Case]) -> Iterator[Case]:
    """Return CASES of the cases in order of time, so far apart that none runs into the next."""
    last = datetime.min.replace(tzinfo=UTC)
    count = 0
    for case in sorted(cases, key=lambda case: case.at):
        if case.at - last > LASTING and count < CASES:
            last, count = case.at, count + 1
            yield case


def differences(simulation: Simulation, made: list[pages.Page], until: int) -> Counter[Told]:
    """Return the pages that only one side has. Of round robin's candidates, any one's pages will do."""
    theirs = Counter(of_theirs(page) for page in made if page.at.timestamp() < until)
    ours = Counter(of_ours(page) for page in simulation.pages if page.at < until)
    for step in simulation.assignments:
        if step.is_one_of:
            mine = _of_step(ours, step)
            made_here = _of_step(theirs, step)
            if any(
                Counter({told: count for told, count in mine.items() if told[3] in group}) == made_here
                for group in step.candidates
            ):
                ours, theirs = ours - mine, theirs - made_here
    return (ours - theirs) + (theirs - ours)


def _of_step(pages_of_all: Counter[Told], step: Assignment) -> Counter[Told]:
    return Counter(
        {told: count for told, count in pages_of_all.items() if told[1:3] == (step.level, step.pass_number)}
    )


async def compare(seed: int) -> tuple[int, int]:
    """Compare an account's cases. Return how many there were, and how many pages they made."""
    account = random_on_call(now=NOW, seed=seed)
    index = OnCallIndex(await snapshot_over_rest(account))
    cases = made_pages = 0
    for case in spaced(random_cases(account, seed=seed, count=60)):
        made = pages_of_case(account, case, lasting=LASTING)
        at = int(case.at.timestamp())
        urgency = urgency_at(index.services[case.service_id], at)
        if urgency is None:
            urgency = Urgency.LOW if case.severity == "warning" else Urgency.HIGH
        simulation = simulate_with(index, case.service_id, at, urgency)
        until = at + int(LASTING.total_seconds())
        assert differences(simulation, made, until) == Counter(), (seed, case, simulation)
        cases, made_pages = cases + 1, made_pages + len(made)
    return cases, made_pages


async def test_the_simulation_equals_the_pages_that_are_made_in_two_hundred_random_cases() -> None:
    cases = made_pages = 0
    for seed in range(ACCOUNTS):
        more, pages_of_account = await compare(seed)
        cases, made_pages = cases + more, made_pages + pages_of_account
    assert cases >= ACCOUNTS * CASES
    # Without pages the comparison would prove nothing.
    assert made_pages > 4 * cases


@pytest.mark.torture
async def test_the_simulation_equals_the_pages_that_are_made_in_two_hundred_random_accounts() -> None:
    for seed in range(1000, 1000 + MANY):
        await compare(seed)
