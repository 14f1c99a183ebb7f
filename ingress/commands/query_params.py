"""What the command line sends with a request. A time that names no offset counts as UTC."""

from datetime import datetime

from calmo_pagerduty.kernel.instants import to_utc


def time_text(moment: datetime) -> str:
    """Return a time as the API takes it, in UTC."""
    return to_utc(moment).isoformat()


def query_params(**values: datetime | str | None) -> list[tuple[str, str]]:
    """Return values as a query. What is None is left out, so that the API's own default counts."""
    return [
        (name, time_text(value) if isinstance(value, datetime) else value)
        for name, value in values.items()
        if value is not None
    ]
