"""Every verdict names the step of the end-to-end test at which a delivery stops."""

import pytest

from calmo_pagerduty.deliveries.model import RESPONSE_OF_VERDICT, Verdict
from calmo_pagerduty.webhooks.delivery_steps import FAULT_OF_VERDICT, TITLE_OF_STEP, DeliveryStep


def test_every_verdict_but_accepted_stops_a_delivery_with_its_own_words() -> None:
    assert set(FAULT_OF_VERDICT) == set(Verdict) - {Verdict.ACCEPTED}
    assert len({fault.words for fault in FAULT_OF_VERDICT.values()}) == len(FAULT_OF_VERDICT)
    assert all(fault.advice for fault in FAULT_OF_VERDICT.values())


def test_every_step_has_a_title_of_its_own() -> None:
    assert list(TITLE_OF_STEP) == list(DeliveryStep)
    assert len(set(TITLE_OF_STEP.values())) == len(DeliveryStep)


@pytest.mark.parametrize("verdict", sorted(FAULT_OF_VERDICT))
def test_what_was_not_authenticated_stops_before_it_is_parsed_or_kept(verdict: Verdict) -> None:
    before = (DeliveryStep.DELIVERY, DeliveryStep.SIGNATURE)
    was_kept = RESPONSE_OF_VERDICT[verdict].status == 202
    assert (FAULT_OF_VERDICT[verdict].step in before) is not was_kept
