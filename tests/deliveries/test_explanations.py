"""The walk of a delivery: each thing that can be missing is named first, with what to do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.deliveries.explanations import (
    ExplanationInput,
    StepName,
    StepState,
    WorkflowStatus,
    explain,
)
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict

NOTHING = ExplanationInput("Q1")
READY = replace(NOTHING, webhooks=1, with_secret=1)


def with_delivery(state: DeliveryState, **more: Any) -> ExplanationInput:
    return replace(READY, deliveries={state: 1}, latest={state: 7}, workflow_id="pd-incident:Q1:con", **more)


FORWARDED = with_delivery(DeliveryState.FORWARDED, workers=1, workflow=WorkflowStatus.RUNNING)

CASES = {
    "no webhook at all": (NOTHING, StepName.WEBHOOK, "missing", "webhook create"),
    "a webhook that waits for its secret": (
        replace(NOTHING, webhooks=1),
        StepName.SECRET,
        "missing",
        "webhook set-secret",
    ),
    "signed with another secret": (
        replace(READY, refusals={Verdict.MISMATCH: 2, Verdict.GUARDED: 5}),
        StepName.AUTHENTIC,
        "missing",
        "deliveries refusals",
    ),
    "nothing ever arrived": (READY, StepName.DELIVERED, "missing", "calmo-pagerduty reconcile"),
    "switched off by PagerDuty": (
        replace(READY, switched_off=1),
        StepName.DELIVERED,
        "missing",
        "calmo-pagerduty doctor",
    ),
    "perhaps among the unreadable": (
        replace(READY, unreadable=3),
        StepName.UNDERSTOOD,
        "unknown",
        "--state dead_letter",
    ),
    "a dead letter": (
        with_delivery(DeliveryState.DEAD_LETTER, dead_reason="too deep"),
        StepName.UNDERSTOOD,
        "missing",
        "deliveries replay 7",
    ),
    "paused": (with_delivery(DeliveryState.PAUSED), StepName.ACCEPTED, "missing", "deliveries replay 7"),
    "a conflict": (with_delivery(DeliveryState.CONFLICT), StepName.ACCEPTED, "missing", "deliveries show 7"),
    "Temporal is away": (
        with_delivery(DeliveryState.PENDING, temporal=False, waiting_for=timedelta(seconds=90)),
        StepName.FORWARDED,
        "missing",
        "Start Temporal",
    ),
    "about to be sent": (
        with_delivery(DeliveryState.PENDING, workers=1),
        StepName.FORWARDED,
        "unknown",
        "again",
    ),
    "no worker": (replace(FORWARDED, workers=0), StepName.WORKED_ON, "missing", "calmo-pagerduty worker"),
    "nobody can tell who works": (
        with_delivery(DeliveryState.FORWARDED, temporal=False),
        StepName.WORKED_ON,
        "unknown",
        "health worker",
    ),
    "a terminated workflow": (
        replace(FORWARDED, workflow=WorkflowStatus.ENDED),
        StepName.WORKED_ON,
        "missing",
        "deliveries replay 7",
    ),
    "a workflow that isn't there": (
        replace(FORWARDED, workflow=WorkflowStatus.NONE),
        StepName.WORKED_ON,
        "missing",
        "deliveries replay 7",
    ),
    "at work": (FORWARDED, StepName.APPLIED, "unknown", "Temporal UI"),
}


@pytest.mark.parametrize(("facts", "name", "state", "advice"), CASES.values(), ids=CASES)
def test_the_first_thing_that_is_missing_is_named_with_what_to_do(
    facts: ExplanationInput, name: StepName, state: str, advice: str
) -> None:
    found = explain(facts)
    first = found.first_missing
    assert first is not None
    assert (first.name, first.state) == (name, state)
    assert first.advice is not None
    assert advice in first.advice
    assert found.steps[-1] is first
    assert all(step.state is StepState.OK for step in found.steps[:-1])


def test_where_all_is_well_the_issue_is_named() -> None:
    found = explain(replace(with_delivery(DeliveryState.APPLIED), issue_id="iss_x", entries=2))
    assert found.first_missing is None
    assert "iss_x with 2 entries" in found.steps[-1].words


def test_an_issue_tells_also_of_what_is_not_on_it() -> None:
    deliveries = {DeliveryState.APPLIED: 1, DeliveryState.DEAD_LETTER: 2, DeliveryState.PAUSED: 1}
    found = explain(replace(READY, deliveries=deliveries, issue_id="iss_x", entries=1))
    assert "not on it: 2 dead_letter, 1 skipped_paused" in found.steps[-1].words


def test_old_refusals_do_not_hide_what_did_arrive() -> None:
    found = explain(replace(with_delivery(DeliveryState.PAUSED), refusals={Verdict.MISMATCH: 1}))
    assert found.first_missing is not None
    assert found.first_missing.name is StepName.ACCEPTED


def test_what_has_come_furthest_tells_what_the_incident_waits_for() -> None:
    facts = replace(
        FORWARDED, deliveries={DeliveryState.DEAD_LETTER: 1, DeliveryState.FORWARDED: 1}, workers=0
    )
    first = explain(facts).first_missing
    assert first is not None
    assert first.name is StepName.WORKED_ON


COUNTS = st.integers(0, 3)


@given(
    st.builds(
        ExplanationInput,
        incident_id=st.just("Q1"),
        webhooks=COUNTS,
        with_secret=COUNTS,
        switched_off=COUNTS,
        refusals=st.dictionaries(st.sampled_from(Verdict), COUNTS),
        unreadable=COUNTS,
        deliveries=st.dictionaries(st.sampled_from(DeliveryState), COUNTS),
        temporal=st.booleans(),
        workers=st.none() | COUNTS,
        workflow=st.sampled_from(WorkflowStatus),
        issue_id=st.none() | st.just("iss_x"),
        entries=COUNTS,
    )
)
def test_whatever_the_facts_there_is_an_answer_with_advice_unless_there_is_an_issue(
    facts: ExplanationInput,
) -> None:
    found = explain(facts)
    order = [list(StepName).index(step.name) for step in found.steps]
    assert order == sorted(order)
    first = found.first_missing
    assert (first is None) is (facts.issue_id is not None)
    if first is not None:
        assert first.advice
        assert first is found.steps[-1]
