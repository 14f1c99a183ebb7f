"""Scopes and what a caller may see of them."""

import pytest

from calmo_pagerduty.kernel.scopes import EVERYTHING, InvalidScope, Scope, ScopeKind, Visibility


@pytest.mark.parametrize("text", ["personal:ada", "organization:calmo", "personal:a.b_c@d-e"])
def test_a_scope_reads_what_it_writes(text: str) -> None:
    assert str(Scope.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "ada", "team:ada", "personal:", "personal:-a", "personal:a,b", "personal: a"]
)
def test_what_names_no_scope_is_refused(text: str) -> None:
    with pytest.raises(InvalidScope):
        Scope.parse(text)


def test_a_caller_sees_its_scopes_and_no_other() -> None:
    mine, theirs = Scope(ScopeKind.PERSONAL, "ada"), Scope(ScopeKind.ORGANIZATION, "ada")
    assert Visibility((mine,)).admits(mine)
    assert not Visibility((mine,)).admits(theirs)
    assert not Visibility().admits(mine)
    assert EVERYTHING.admits(theirs)
