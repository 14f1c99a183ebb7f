"""Keeps an answer for an agent small: what doesn't fit its budget is left out, and the answer says so.

An agent reads an answer whole, and pays for it in its window. Pure.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

#: How long an answer may be, in characters of JSON.
MAX_ANSWER: Final = 20_000
#: What is longer is cut to this before its characters are looked at: PagerDuty's answer may have 20 MB, and
#: the process that answers the agent serves others too.
MAX_CLEANED: Final = 10 * MAX_ANSWER
#: Texts become shorter and lists of parts shorter, step by step, until the answer fits.
_STEPS: Final = ((4096, 200), (1000, 100), (300, 50), (200, 20), (100, 8), (60, 3))
#: Fields of a listed item that another tool shows of one item.
_DETAILS: Final = frozenset({
    "alert_counts", "assigned_via", "conference_bridge", "incident_key", "last_status_change_at",
    "pending_actions", "updated_at",
})  # fmt: skip
_LEFT_OUT = "left_out"


def size_of(value: Any) -> int:
    """Return how many characters the value takes as JSON."""
    return len(json.dumps(value, ensure_ascii=False))


def lean_list(result: Any) -> Any:
    """Return a list's result without fields that agents seldom need; other results are returned unchanged."""
    if not isinstance(result, dict) or not isinstance(result.get("items"), list):
        return result
    items = [_lean_item(item) if isinstance(item, dict) else item for item in result["items"]]
    return {**result, "items": items}


def _lean_item(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _lean_part(name, part) for name, part in item.items() if name not in _DETAILS}


def _lean_part(name: str, part: Any) -> Any:
    """Leave out a reference's type where the field's name says it."""
    if isinstance(part, dict) and set(part) <= {"id", "summary", "type"} and part.get("type") == name:
        return {key: value for key, value in part.items() if key != "type"}
    return part


def smaller_limit(result: Any) -> int | None:
    """Return how many items of a list fit the budget; None if all of them do, or if it is no list."""
    items = result.get("items") if isinstance(result, dict) else None
    if not isinstance(items, list) or len(items) < 2 or (size := size_of(result)) <= MAX_ANSWER:
        return None
    return max(1, len(items) * MAX_ANSWER * 9 // (size * 10))


def fit(value: Any, budget: int = MAX_ANSWER) -> Any:
    """Return the value within the budget. What was cut is counted where it was, under `left_out`."""
    for longest_text, longest_list in _STEPS:
        if size_of(value) <= budget:
            break
        value = _cut(value, longest_text, longest_list)
    return value


def _cut(value: Any, longest_text: int, longest_list: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest_text else f"{value[: longest_text - 1]}…"
    if isinstance(value, Mapping):
        kept = dict(list(value.items())[: longest_list * 2])
        cut = {name: _cut(part, longest_text, longest_list) for name, part in kept.items()}
        return _counted(cut, len(value) - len(kept))
    if isinstance(value, list):
        kept_items = [part for part in value if not _is_count(part)]
        before = sum(part[_LEFT_OUT] for part in value if _is_count(part))
        shown = [_cut(part, longest_text, longest_list) for part in kept_items[:longest_list]]
        missing = len(kept_items) - len(shown) + before
        return [*shown, {_LEFT_OUT: missing}] if missing else shown
    return value


def _counted(cut: dict[str, Any], missing: int) -> dict[str, Any]:
    return {**cut, _LEFT_OUT: missing + int(cut.get(_LEFT_OUT, 0))} if missing else cut


def _is_count(part: Any) -> bool:
    return isinstance(part, dict) and set(part) == {_LEFT_OUT}
