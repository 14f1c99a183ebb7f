"""Finds the name that a person probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest_hint(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean create_incident?` for a misspelt name; an empty text if none is near."""
    by_lower_case = {known.lower(): known for known in names}
    near = get_close_matches(name.lower()[:100], by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean {by_lower_case[near[0]]}?" if near else ""
