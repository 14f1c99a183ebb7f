"""Ask a stored snapshot "what if": what this feature's faces call. Pure, and slow for large accounts."""

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.scheduling.applying import apply_scenario
from calmo_pagerduty.scheduling.comparison import Comparison, compare
from calmo_pagerduty.scheduling.comparison_document import comparison_document
from calmo_pagerduty.scheduling.scenarios import Scenario
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.report import MaySee
from calmo_pagerduty.workload.rules import WorkloadSettings


def what_if(
    snapshot: AccountSnapshot, scenario: Scenario, now: int, settings: WorkloadSettings | None = None
) -> Comparison:
    """Return the effects of a scenario at `now` (epoch seconds). Raises ScenarioInvalid, WhatIfRefused."""
    return compare(apply_scenario(snapshot, scenario, now), settings)


def what_if_document(snapshot: AccountSnapshot, scenario: Scenario, now: int, may_see: MaySee) -> JsonObject:
    """Return the effects as JSON: the same bytes for the same snapshot, scenario and `now`."""
    return comparison_document(what_if(snapshot, scenario, now), scenario, now, may_see)
