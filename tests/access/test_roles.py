"""Roles and what groups make of them."""

from itertools import pairwise

import pytest

from calmo_pagerduty.access.roles import (
    PERMISSIONS_OF_ROLE,
    Grant,
    InvalidGrant,
    Role,
    grant_of_groups,
    groups_of_claim,
    make_grant,
    parse_group_roles,
)
from calmo_pagerduty.kernel.scopes import Scope

ACME, OTHER = Scope.parse("organization:acme"), Scope.parse("organization:other")
GROUPS = parse_group_roles(
    {
        "sre": "lead organization:acme",
        "sre2": "lead organization:other",
        "all": "viewer organization:other",
        "ops": "operator",
    }
)


def test_each_role_has_permissions_and_all_those_of_the_roles_before_it() -> None:
    assert set(PERMISSIONS_OF_ROLE) == set(Role)
    sets = [PERMISSIONS_OF_ROLE[role] for role in Role]
    assert all(lower < higher for lower, higher in pairwise(sets))


@pytest.mark.parametrize(
    ("groups", "grant"),
    [
        ([], None),
        (["unknown"], None),
        (["all"], Grant(Role.VIEWER, (OTHER,))),
        # A lead of one organisation is no lead of another where a group only lets them look.
        (["sre", "all"], Grant(Role.LEAD, (ACME,))),
        (["sre", "sre2"], Grant(Role.LEAD, (ACME, OTHER))),
        (["ops", "all"], Grant(Role.OPERATOR, None)),
    ],
)
def test_the_highest_role_counts_in_the_scopes_that_give_it(groups: list[str], grant: Grant | None) -> None:
    assert grant_of_groups(groups, GROUPS) == grant


@pytest.mark.parametrize("value", [None, 3, {"sre": 1}, [["sre"]], "sre ops"])
def test_a_claim_of_another_form_gives_no_group(value: object) -> None:
    assert grant_of_groups(groups_of_claim(value), GROUPS) is None


@pytest.mark.parametrize(
    ("role", "scopes"), [("king", ["organization:acme"]), ("lead", []), ("operator", ["organization:acme"])]
)
def test_a_role_that_makes_no_sense_is_refused(role: str, scopes: list[str]) -> None:
    with pytest.raises(InvalidGrant, match=role):
        make_grant(role, scopes)
