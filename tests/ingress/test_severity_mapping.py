"""From a priority's name to a severity and its colour."""

import pytest

from calmo_pagerduty.connections.severity import (
    COLOUR_OF_SEVERITY,
    SEVERITY_OF_PRIORITY,
    Severity,
    severity_of,
)

TABLE = [
    (Severity.CRITICAL, "red", ["P1", "P2", "Critical", "High"]),
    (Severity.WARNING, "yellow", ["P3", "Medium"]),
    (Severity.INFO, "blue", ["P4", "P5", "Low", "Info"]),
]


def test_the_table_holds_these_names_and_no_others() -> None:
    assert set(SEVERITY_OF_PRIORITY) == {name.lower() for _, _, names in TABLE for name in names}
    assert set(COLOUR_OF_SEVERITY) == set(Severity)


@pytest.mark.parametrize(("severity", "colour", "names"), TABLE)
def test_each_name_means_its_severity_in_any_case(severity: Severity, colour: str, names: list[str]) -> None:
    for name in names:
        for spelled in (name, name.upper(), name.lower(), name.swapcase(), f"  {name}\n"):
            assert severity_of(spelled) is severity
    assert COLOUR_OF_SEVERITY[severity] == colour


@pytest.mark.parametrize("unknown", [None, "", " ", "P0", "P 1", "Sev1", "critical!"])
def test_no_priority_or_an_unknown_one_is_medium_and_yellow(unknown: str | None) -> None:
    assert severity_of(unknown) is Severity.MEDIUM
    assert COLOUR_OF_SEVERITY[Severity.MEDIUM] == "yellow"


def test_a_connections_own_names_are_added_and_win() -> None:
    own = {"sev1": Severity.CRITICAL, "p1": Severity.INFO}
    assert severity_of("SEV1", own) is Severity.CRITICAL
    assert severity_of("P1", own) is Severity.INFO
    assert severity_of("P2", own) is Severity.CRITICAL
    assert severity_of("sev2", own) is Severity.MEDIUM
