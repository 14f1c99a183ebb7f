"""Who may see what single persons did or bear."""

import pytest

from calmo_pagerduty.access.permissions import ALL_PERMISSIONS, FINDINGS_READ, PERSONS_READ
from calmo_pagerduty.access.persons import ALL_PERSONS, NO_PERSONS, PersonVisibility, person_visibility


@pytest.mark.parametrize(
    ("seen", "users", "may"),
    [
        (ALL_PERSONS, ("PANA", "PBEN"), True),
        (ALL_PERSONS, (), True),
        (NO_PERSONS, ("PANA",), False),
        (NO_PERSONS, (), False),
        (PersonVisibility(user_id="PANA"), ("PANA",), True),
        (PersonVisibility(user_id="PANA"), ("PANA", "PBEN"), False),
        (PersonVisibility(user_id="PANA"), (), False),
    ],
)
def test_a_reader_sees_everybody_or_only_themselves(
    seen: PersonVisibility, users: tuple[str, ...], may: bool
) -> None:
    assert seen.admits(users) is may


def test_only_the_permission_for_persons_shows_everybody() -> None:
    but = set(ALL_PERMISSIONS) - {PERSONS_READ}
    assert person_visibility({PERSONS_READ}, None).everybody
    assert not person_visibility(but, None).everybody
    assert person_visibility({FINDINGS_READ}, "PANA") == PersonVisibility(user_id="PANA")
