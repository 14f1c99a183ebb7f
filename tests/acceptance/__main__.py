"""`python -m tests.acceptance NUMBER … [--long]`: run tests of acceptance checks, by default of all."""

import argparse
import sys

import pytest

from tests.acceptance.table import read_checks


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance")
    parser.add_argument("numbers", nargs="*", help="such as 07; none means all")
    parser.add_argument("--long", action="store_true", help="the forms of make torture")
    asked = parser.parse_args()
    wanted = {f"{int(number):02}" for number in asked.numbers}
    checks = [check for check in read_checks() if not wanted or check.number in wanted]
    tests = [str(test) for check in checks for test in (check.long if asked.long else check.short)]
    return int(pytest.main([*tests, "-m", "torture" if asked.long else "not torture"])) if tests else 0


if __name__ == "__main__":
    sys.exit(main())
