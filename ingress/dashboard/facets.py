"""Filters of a list: facets with counts, and saved views. `templates/facets.html` draws them."""

from collections.abc import Sequence
from typing import NamedTuple


class Facet(NamedTuple):
    """A field to filter by: each value with its word and how many rows have it."""

    name: str
    heading: str
    values: Sequence[tuple[str, str, int]]


class SavedView(NamedTuple):
    """A named filter."""

    name: str
    query: str
