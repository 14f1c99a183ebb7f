"""Errors that a person can fix."""


class ExplainedError(Exception):
    """The message says what is wrong and what to do. The command line shows it without a traceback."""
