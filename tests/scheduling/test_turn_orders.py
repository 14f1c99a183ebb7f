"""Turns go on where they are when somebody leaves or joins."""

from hypothesis import given, settings, strategies as st

from calmo_pagerduty.scheduling.turn_orders import with_member, without_member

ORDERS = st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=7, unique=True)


@settings(max_examples=60)
@given(order=ORDERS, turn=st.integers(-20, 40), data=st.data())
def test_without_a_member_the_others_keep_their_sequence(
    order: list[str], turn: int, data: st.DataObject
) -> None:
    leaver = data.draw(st.sampled_from(order))
    left = without_member(order, leaver, turn)
    upcoming = [order[(turn + step) % len(order)] for step in range(len(order))]
    expected = [member for member in upcoming if member != leaver]
    assert [left[(turn + step) % len(left)] for step in range(len(left))] == expected


@settings(max_examples=60)
@given(order=ORDERS, turn=st.integers(-20, 40))
def test_a_joiner_comes_last_and_the_present_turn_stays(order: list[str], turn: int) -> None:
    joined = with_member(order, "Z", turn)
    upcoming = [order[(turn + step) % len(order)] for step in range(len(order))]
    assert [joined[(turn + step) % len(joined)] for step in range(len(joined))] == [*upcoming, "Z"]


def test_a_joiner_may_come_after_a_member() -> None:
    assert with_member(("A", "B", "C"), "Z", 0, after="A") == ("A", "Z", "B", "C")
    assert without_member(("A",), "A", 5) == ()
