"""What stands at the top of every page: what is open, what of it is yours, and whether you are on call."""

from dataclasses import dataclass

from calmo_pagerduty.access.permissions import ISSUES_READ
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.queries import OpenCount
from ingress.dashboard.on_call import OnCallLine, OnCallLines
from ingress.dashboard.page import Ask


@dataclass(frozen=True, slots=True)
class Headline:
    """The line at the top. Counts are None for a caller who may not read issues."""

    who: str
    #: Whether the caller is a person whom PagerDuty knows, so that something can be theirs.
    is_person: bool
    counts: OpenCount | None
    #: The live stream begins after this change.
    change_id: int
    on_call: OnCallLine


async def headline(ask: Ask, lines: OnCallLines) -> Headline:
    """Read the line. Raises StoreUnavailable."""
    caller = ask.caller
    counts, change_id = None, 0
    if ask.may(ISSUES_READ):
        counts, change_id = await ask.read(
            lambda t: (
                issue_queries.count_open_issues(t, caller.visibility, caller.person),
                issue_queries.get_latest_change_id(t),
            )
        )
    on_call = await lines.read(caller, ask.now)
    return Headline(caller.who, caller.person is not None, counts, change_id, on_call)
