"""Filters of a list: facets with counts. `templates/facets.html` draws them, and the list's views."""

from collections.abc import Sequence
from typing import NamedTuple


class Facet(NamedTuple):
    """A field to filter by: each value with its word and how many rows have it."""

    name: str
    heading: str
    values: Sequence[tuple[str, str, int]]
