"""A count and its noun in the right number."""

from calmo_pagerduty.kernel.count_text import count_text


def test_a_noun_stands_in_the_number_that_its_count_wants() -> None:
    assert [count_text(count, "gap") for count in (0, 1, 2)] == ["0 gaps", "1 gap", "2 gaps"]
    assert count_text(1, "policy", "policies") == "1 policy"
    assert count_text(1_200, "policy", "policies") == "1,200 policies"
