"""Escalation policies are made once, and keep what isn't changed."""

from typing import Any

import pytest

from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotUnderstood
from calmo_pagerduty.tools.markers import marker
from tests.support.plan_runs import AGAIN, listed, run

RULES = [
    {"delay_minutes": 5, "targets": [{"type": "schedule_v3", "id": "PS1"}, {"type": "user", "id": "PU1"}]}
]
NEW = {"name": "Shop", "rules": RULES, "description": "Who sells"}


def policy(**fields: Any) -> dict[str, Any]:
    rule = {
        "id": "PR1",
        "escalation_delay_in_minutes": 30,
        "targets": [
            {"id": "PS1", "type": "schedule_reference", "summary": "Primary", "self": "https://x.invalid"}
        ],
    }
    return {"escalation_policy": {"id": "PE1", "name": "Shop", "escalation_rules": [rule], **fields}}


def test_a_policy_is_created_with_a_mark() -> None:
    sent = run("create_escalation_policy", NEW, policy()).body()["escalation_policy"]
    assert sent["description"] == f"Who sells\n\n{marker('call-1')}"
    assert sent["escalation_rules"] == [
        {
            "escalation_delay_in_minutes": 5,
            "targets": [
                {"id": "PS1", "type": "schedule_v3_reference"},
                {"id": "PU1", "type": "user_reference"},
            ],
        }
    ]


def test_a_policy_is_created_once() -> None:
    namesake = {"id": "PE0", "name": "Shop", "description": "Who sells"}
    ours = {"id": "PE1", "name": "Shop", "description": f"Who sells {marker('call-1')}"}
    found = run("create_escalation_policy", NEW, listed(namesake, ours), call=AGAIN)
    assert found.writes == [] and found.result["id"] == "PE1"
    assert len(run("create_escalation_policy", NEW, listed(namesake), policy(), call=AGAIN).writes) == 1


def test_a_changed_policy_keeps_its_rules() -> None:
    done = run(
        "update_escalation_policy", {"escalation_policy_id": "PE1", "num_loops": 2}, policy(), policy()
    )
    assert done.body()["escalation_policy"] == {
        "type": "escalation_policy",
        "name": "Shop",
        "num_loops": 2,
        "escalation_rules": [
            {
                "id": "PR1",
                "escalation_delay_in_minutes": 30,
                "targets": [{"id": "PS1", "type": "schedule_reference"}],
            }
        ],
    }


def test_rules_that_are_given_replace_all() -> None:
    arguments = {"escalation_policy_id": "PE1", "rules": RULES}
    done = run("update_escalation_policy", arguments, InvalidRequest("unknown include"), policy(), policy())
    sent = done.body()["escalation_policy"]["escalation_rules"]
    assert [rule["escalation_delay_in_minutes"] for rule in sent] == [5]


def test_a_policy_whose_rules_are_not_shown_is_not_written_back() -> None:
    arguments = {"escalation_policy_id": "PE1", "num_loops": 2}
    with pytest.raises(NotUnderstood):
        run("update_escalation_policy", arguments, {"escalation_policy": {"id": "PE1"}})


def test_a_policy_shows_its_levels() -> None:
    shown = run("get_escalation_policy", {"escalation_policy_id": "PE1"}, policy()).result
    assert shown["rules"] == [
        {
            "level": 1,
            "delay_minutes": 30,
            "targets": [{"id": "PS1", "summary": "Primary", "type": "schedule"}],
        }
    ]
