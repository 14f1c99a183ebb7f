"""What the demo says that its seven incidents have to do with: as it is when the last one has begun."""

from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.contexts.analysis.assessment import assess
from calmo_pagerduty.contexts.model import Assessment
from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.demo_past import furnish_for_the_demo
from pagerduty_simulator.demo_scenario import DEMO
from pagerduty_simulator.furnished_shop import furnished_shop
from pagerduty_simulator.resources import Incident
from pagerduty_simulator.scenarios import Stage
from tests.support.surroundings_of import surroundings_of

BEGINS_AT = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
#: When the last of the seven has begun.
ALL_OPEN = timedelta(seconds=33)


@pytest.fixture(scope="module", params=range(3))
def shop(request: pytest.FixtureRequest) -> Account:
    """The demo's shop when all seven incidents have begun."""
    clock = ManualClock(BEGINS_AT)
    account = furnished_shop(now=clock.now, seed=request.param)
    furnish_for_the_demo(account, incidents=200, days=120, seed=request.param)
    stage = Stage(account)
    for step in DEMO.steps:
        if timedelta(seconds=step.at_seconds) <= ALL_OPEN:
            clock.advance(BEGINS_AT + timedelta(seconds=step.at_seconds) - clock.now())
            stage.perform(step)
    return account


def of_the_story(account: Account) -> list[Incident]:
    return [incident for incident in account.incidents.values() if incident.created_at >= BEGINS_AT]


def on(account: Account, service: str) -> tuple[Incident, Assessment]:
    (incident,) = (incident for incident in of_the_story(account) if incident.service.name == service)
    return incident, assess(surroundings_of(account, incident.id))


def test_the_database_s_incident_is_told_with_the_change_minutes_before(shop: Account) -> None:
    incident, said = on(shop, "Order database")
    first = said.root_cause.candidates[0]
    newest = shop.belongings.changes(incident.service.id)[0]
    assert (first.kind, first.thing.id) == ("change", newest.id)
    assert "write-ahead logs" in first.summary.text


def test_the_search_s_incident_is_told_with_the_index_rebuild_in_working_hours(shop: Account) -> None:
    _, said = on(shop, "Search")
    assert "index rebuild" in said.root_cause.candidates[0].summary.text


def test_the_checkout_s_incident_points_upstream_to_the_database_s(shop: Account) -> None:
    database, _ = on(shop, "Order database")
    checkout, said = on(shop, "Checkout API")
    assert said.root_cause.candidates[0].thing.id == database.id
    path = [thing.id for thing in said.surrounding.failing_path]
    assert path == [database.service.id, checkout.service.id]


def test_each_of_the_seven_is_like_past_ones_of_which_is_known_who_mended_them_and_how(
    shop: Account,
) -> None:
    incidents = of_the_story(shop)
    assert len(incidents) == 7
    for incident in incidents:
        said = assess(surroundings_of(shop, incident.id))
        best = said.similar[0]
        assert best.service.id == incident.service.id, incident.title
        assert any(similar.resolution and similar.handled for similar in said.similar), incident.title
        assert said.impact.score is not None


def test_whom_to_involve_is_told_for_some_of_them(shop: Account) -> None:
    named = [
        assess(surroundings_of(shop, incident.id)).recommendation.people for incident in of_the_story(shop)
    ]
    assert any(named)
