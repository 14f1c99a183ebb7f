"""Whose hours, pages and names a reader may see: everybody's, the reader's own, or nobody's."""

from collections.abc import Collection
from dataclasses import dataclass

from calmo_pagerduty.access.permissions import PERSONS_READ


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
