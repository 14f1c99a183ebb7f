"""Says how many there are of something: `1 gap`, `3 gaps`."""


def count_text(count: int, noun: str, plural: str | None = None) -> str:
    """Return the count with its noun in the right number. `plural` is `noun` with an s if it isn't given."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
