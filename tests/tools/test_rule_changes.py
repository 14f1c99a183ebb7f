"""What changed between two versions of a connection's rules, in words."""

from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from calmo_pagerduty.tools.rule_changes import describe_changes


def test_the_same_rules_differ_in_nothing() -> None:
    rules = ConnectionRules(switches={"risk:low": Switch.DENY}, teams={"P1": {"risk:high": Switch.ALLOW}})
    assert describe_changes(rules, rules) == []


def test_every_field_that_differs_is_told() -> None:
    before = ConnectionRules(switches={"risk:low": Switch.DENY})
    after = ConnectionRules(
        switches={"risk:medium": Switch.ALLOW},
        teams={"P1": {"tool:add_note": Switch.ALLOW}},
        approve=frozenset({Risk.MEDIUM}),
        medium_after_untrusted=True,
        approval_hours=8,
        writes_per_hour=5,
        tool_writes_per_hour={"add_note": 2},
    )
    told = "; ".join(describe_changes(before, after))
    for line in (
        "risk:low: deny → default",
        "risk:medium: default → allow",
        "team P1: tool:add_note: default → allow",
        "writes of medium risk wait for approval",
        "writes of high risk no longer wait for approval",
        "writes of medium risk after foreign texts: no → yes",
        "hours to approve: 24 → 8",
        "writes an hour for each tool: 60 → 5",
        "writes an hour of add_note: 60 → 2",
    ):
        assert line in told
    assert set(ConnectionRules.model_fields) == {
        "switches", "teams", "approve", "medium_after_untrusted", "approval_hours", "writes_per_hour",
        "tool_writes_per_hour",
    }, "a new field must be told too"  # fmt: skip
