"""`docs/reliability.md` names, for each acceptance check, tests that there are and that run where it says."""

import ast
import tomllib
from functools import cache

import pytest

from tests.acceptance.table import ROOT, Check, NamedTest, read_checks

CHECKS = read_checks()


@cache
def functions(path: str) -> dict[str, bool]:
    """Whether each test of a file is marked `torture`, itself or with its file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    of_file = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and "mark.torture" in ast.unparse(node.value)
        for node in tree.body
    )
    # Hypothesis' state machines are tests by assignment.
    found = {ast.unparse(node.targets[0]): of_file for node in tree.body if isinstance(node, ast.Assign)}
    return found | {
        node.name: of_file or any("mark.torture" in ast.unparse(mark) for mark in node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def is_torture(test: NamedTest) -> bool:
    assert test.name in functions(test.path), f"{test} does not exist"
    return functions(test.path)[test.name]


def test_the_page_has_the_twenty_five_checks_in_order() -> None:
    assert [check.number for check in CHECKS] == [f"{number:02}" for number in range(1, 26)]


@pytest.mark.parametrize("check", CHECKS, ids=[check.number for check in CHECKS])
def test_a_check_is_proved_by_tests_that_run_where_the_page_says(check: Check) -> None:
    assert check.short, "no short form"
    assert not any(is_torture(test) for test in check.short)
    assert all(is_torture(test) for test in check.long)
    assert check.figure, "a figure, or that it is not measured"


def test_every_security_rule_of_ruff_is_on() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert [rule for rule in lint["ignore"] if rule.startswith("S") and rule[1:].isdigit()] == ["S101"]
    ours = {
        pattern: [rule for rule in rules if rule.startswith("S") and rule[1:].isdigit()]
        for pattern, rules in lint["per-file-ignores"].items()
    }
    product = ("activities", "bootstrap", "calmo_pagerduty", "ingress", "workflows", "worker")
    assert not any(rules for pattern, rules in ours.items() if pattern.startswith(product))
