"""Persons: when two names mean the same person, and whose hours, pages and names a reader may see."""

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from calmo_pagerduty.access.permissions import PERSONS_READ


def normalize_person(name: str) -> str:
    """Return a person's name as it is stored: NFKC, single spaces, none at its ends. It may be empty."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def person_identity(name: str) -> str:
    """Return what all spellings of a name have in common: case, spaces and Unicode forms don't count.

    Source: Unicode Standard, section 3.13, "Default Caseless Matching" (compatibility caseless match).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", name).casefold()).casefold()
    return normalize_person(folded)


def is_same_person(name: str | None, other: str | None) -> bool:
    """Tell whether both names mean one person. No name is nobody's."""
    return name is not None and other is not None and person_identity(name) == person_identity(other)


def key_owner(key_id: str, person: str | None) -> str:
    """Return whose an API key is: its person's, or its own.

    The calls of one owner are those of one caller, whichever key they come with.
    """
    return f"person:{person_identity(person)}" if person else f"key:{key_id}"


@dataclass(frozen=True, slots=True)
class PersonVisibility:
    """Everybody if the key has `persons:read`, else only the key's own person.

    `user_id` is that person's id at PagerDuty. Reports show teams to a reader who may not see a person.
    """

    everybody: bool = False
    user_id: str | None = None

    def admits(self, user_ids: Collection[str]) -> bool:
        """Tell whether the reader may see what is about all of these users of PagerDuty.

        What names nobody (an empty collection) may still be about persons: only who sees everybody sees it.
        """
        return self.everybody or (bool(user_ids) and all(user_id == self.user_id for user_id in user_ids))


ALL_PERSONS = PersonVisibility(everybody=True)
NO_PERSONS = PersonVisibility()


def person_visibility(permissions: Collection[str], person: str | None) -> PersonVisibility:
    """Return what a key with these permissions, owned by `person`, may see of persons."""
    return PersonVisibility(everybody=PERSONS_READ in permissions, user_id=person)
