"""A dependency is declared once, and only between two services."""

import pytest

from calmo_pagerduty.tools.arguments import InvalidArguments
from tests.support.plan_runs import run

WANTED = {"dependent_service_id": "PWEB", "supporting_service_id": "PSHOP", "supporting_kind": "business"}
ENDS = {
    "supporting_service": {"id": "PSHOP", "type": "business_service_reference"},
    "dependent_service": {"id": "PWEB", "type": "technical_service_reference"},
}


def test_a_dependency_that_is_there_is_not_added_again() -> None:
    known = {"relationships": [{"id": "D1", **ENDS}]}
    done = run("add_service_dependency", WANTED, known)
    assert done.writes == [] and done.result["id"] == "D1" and done.result["direction"] == "uses"


def test_a_missing_dependency_is_added_with_the_kinds_of_its_ends() -> None:
    same_id_other_kind = {
        **ENDS,
        "supporting_service": {"id": "PSHOP", "type": "technical_service_reference"},
    }
    known = {"relationships": [{"id": "D1", **same_id_other_kind}]}
    done = run("add_service_dependency", WANTED, known, {"relationships": [{"id": "D2", **ENDS}]})
    assert done.body()["relationships"] == [
        {
            "supporting_service": {"id": "PSHOP", "type": "business_service"},
            "dependent_service": {"id": "PWEB", "type": "service"},
        }
    ]
    assert done.result["id"] == "D2"


def test_a_service_does_not_depend_on_itself() -> None:
    with pytest.raises(InvalidArguments, match="itself"):
        run("add_service_dependency", {"dependent_service_id": "P1", "supporting_service_id": "P1"})
