"""Whatever JSON holds, its readers get the type they need."""

from hypothesis import given
from hypothesis import strategies as st

from calmo_pagerduty.kernel.json_values import object_of, objects_of, storable_text, text_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_read_as_what_is_needed(value: object) -> None:
    assert isinstance(object_of(value), dict)
    assert all(isinstance(item, dict) for item in objects_of(value))
    text = text_of(value, 5)
    assert text is None or 0 < len(text) <= 5


def test_what_has_the_type_is_returned_as_it_is() -> None:
    assert object_of({"a": 1}) == {"a": 1}
    assert objects_of([{"a": 1}, "b", None, {}]) == [{"a": 1}, {}]
    assert objects_of(({"a": 1},)) == [{"a": 1}]
    assert text_of("  Basket is slow ", 40) == "Basket is slow"
    assert (text_of("  ", 40), text_of(5, 40), text_of(None, 40)) == (None, None, None)


@given(st.text(alphabet=st.characters(), max_size=20) | st.sampled_from(["\x00", "a\ud800b"]))
def test_storable_text_is_taken_by_utf_8_and_by_every_database(text: str) -> None:
    stored = storable_text(text, 10)
    assert len(stored) <= 10
    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    assert storable_text(stored, 10) == stored
