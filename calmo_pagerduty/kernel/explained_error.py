"""What goes wrong in ways that a person can mend."""


class ExplainedError(Exception):
    """The message says what is wrong and what to do. The command line shows it alone, without a traceback."""
