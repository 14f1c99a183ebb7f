"""What an agent reads of a context: small, with ours and theirs apart."""

import json

from hypothesis import given, settings, strategies as st

from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.rendering.digest import MAX_BYTES, context_digest
from tests.context_rendering.test_context_markdown import poisoned
from tests.support.examples import examples
from tests.support.sample_context import a_context


def stretched(text: str, times: int) -> IncidentContext:
    """Return a context whose lists are longer and whose texts are this one."""
    document = poisoned(a_context().model_dump(mode="json", by_alias=True), text)
    found = document["assessment"]
    for part in (found, found["surrounding"], found["root_cause"], found["recommendation"]):
        for name, value in part.items():
            if isinstance(value, list):
                part[name] = value * times
    return IncidentContext.model_validate(document)


@given(st.text(min_size=1).map(lambda text: text * 300), st.integers(1, 60))
@settings(deadline=None, max_examples=examples(15))
def test_it_is_small_whatever_there_is(text: str, times: int) -> None:
    assert len(json.dumps(context_digest(stretched(text, times)))) <= MAX_BYTES


def test_it_is_small_when_every_sign_is_an_emoji() -> None:
    assert len(json.dumps(context_digest(stretched("😀" * 4000, 40)))) <= MAX_BYTES


def test_whatever_came_from_outside_stands_below_untrusted() -> None:
    digest = context_digest(stretched("canary", 3))
    assert "canary" in json.dumps(digest.pop("untrusted"))
    assert "canary" not in json.dumps(digest)


def test_it_holds_what_a_responder_would_ask_first() -> None:
    digest = context_digest(a_context())
    assert digest["impact"] == {"score": 72.0, "confidence": 0.9}
    assert digest["lacking"] == {"alerts": "unavailable", "past_incidents": "not_in_plan"}
    told = digest["untrusted"]
    assert told["causes"][0]["name"] == "Deploy 2231: smaller connection pool"
    assert told["causes"][0]["chance"] == 0.0029
    assert told["similar"][0]["handled"] == ["Amara Okafor acknowledged it", "Amara Okafor resolved it"]
    assert told["involve"][0]["name"] == "Amara Okafor"
    assert told["dependencies"]["failure_came_along"] == ["Order database", "Checkout API"]
    assert len(json.dumps(digest)) < MAX_BYTES
