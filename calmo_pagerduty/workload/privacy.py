"""Who sees persons: they themselves and their managers. Everybody else sees teams of three or more. Pure."""

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.report import MaySee


def may_see(snapshot: AccountSnapshot, persons: PersonVisibility) -> MaySee:
    """Return whom a reader sees: those that the key admits, and members of teams that the reader manages."""
    managed = {team.id for team in snapshot.teams if persons.user_id in (team.manager_ids or ())}
    members = {user.id for user in snapshot.users if managed & set(user.team_ids)}

    def admits(user_id: str) -> bool:
        return persons.admits((user_id,)) or user_id in members

    return admits


def manages(snapshot: AccountSnapshot, persons: PersonVisibility, user_id: str) -> bool:
    """Tell whether a reader is a manager of this person: by the key, or by a team at PagerDuty."""
    return persons.everybody or (user_id != persons.user_id and may_see(snapshot, persons)(user_id))
