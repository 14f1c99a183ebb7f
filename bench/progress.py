"""Progress in words on stderr: stdout belongs to the result."""

import sys


def print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
