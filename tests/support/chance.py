"""Random numbers of tests: the same in each run, so that a failure can be repeated."""

import random


def repeatable(seed: int | float | str) -> random.Random:
    """Return a generator whose numbers depend on the seed alone. No secret is made of them."""
    return random.Random(seed)  # noqa: S311 - numbers that nobody can foretell would make tests differ
