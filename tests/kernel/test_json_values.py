"""Whatever JSON holds, its readers get the type they need."""

from hypothesis import given, strategies as st

from calmo_pagerduty.kernel.json_values import as_object, as_objects, as_text, storable_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_read_as_what_is_needed(value: object) -> None:
    assert isinstance(as_object(value), dict)
    assert all(isinstance(item, dict) for item in as_objects(value))
    text = as_text(value, 5)
    assert text is None or 0 < len(text) <= 5


def test_what_has_the_type_is_returned_as_it_is() -> None:
    assert as_object({"a": 1}) == {"a": 1}
    assert as_objects([{"a": 1}, "b", None, {}]) == [{"a": 1}, {}]
    assert as_objects(({"a": 1},)) == [{"a": 1}]
    assert as_text("  Basket is slow ", 40) == "Basket is slow"
    assert (as_text("  ", 40), as_text(5, 40), as_text(None, 40)) == (None, None, None)


@given(st.text(alphabet=st.characters(), max_size=20) | st.sampled_from(["\x00", "a\ud800b"]))
def test_storable_text_is_taken_by_utf_8_and_by_every_database(text: str) -> None:
    stored = storable_text(text, 10)
    assert len(stored) <= 10
    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    assert storable_text(stored, 10) == stored
