"""Print progress to stderr: stdout is for the result."""

import sys


def print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
