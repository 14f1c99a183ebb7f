"""The note on an incident says what every other page of its context says."""

from calmo_pagerduty.contexts.rendering.note import MAX_NOTE_LENGTH, NOTE_MARKER, note_text
from calmo_pagerduty.contexts.rendering.wording import entity_name, format_chance, format_lead_time
from tests.support.sample_context import a_context


def test_the_note_tells_lead_and_chance_in_the_words_of_the_other_pages() -> None:
    context = a_context()
    note = note_text(context)
    candidate = context.assessment.root_cause.candidates[0]
    assert f"({format_lead_time(candidate.lead_seconds)}, {format_chance(candidate.chance)})" in note
    assert "p = " not in note and "caused" not in note
    assert all(entity_name(person.who) in note for person in context.assessment.recommendation.people[:3])


def test_the_note_is_marked_and_short() -> None:
    note = note_text(a_context())
    assert note.startswith(NOTE_MARKER)
    assert len(note) <= MAX_NOTE_LENGTH
