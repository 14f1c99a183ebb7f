"""The product and the simulator have read the same documentation, each by itself."""

from calmo_pagerduty.pagerduty.event_types import EventType
from pagerduty_simulator import event_types as simulated


def test_the_product_knows_the_event_types_that_the_simulator_sends() -> None:
    assert set(map(str, EventType)) == set(map(str, simulated.EventType))
