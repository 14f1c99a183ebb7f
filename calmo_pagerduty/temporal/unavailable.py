"""The error of calls that need Temporal. It imports no Temporal."""


class TemporalUnavailable(Exception):
    """Temporal can't be reached. Nothing was started."""
