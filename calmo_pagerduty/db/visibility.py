"""The condition for the rows that a caller may see. All queries compare scopes through it."""

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from calmo_pagerduty.kernel.scopes import Visibility


def visible_to(scope: ColumnElement[str], visibility: Visibility) -> ColumnElement[bool]:
    """Return the condition that a row belongs to one of the caller's scopes.

    Args:
        scope: The column that holds `personal:USER` or `organization:ORG`. If a table has no scope, the
            query joins the webhook or the connection and uses theirs.
        visibility: The caller's scopes. Without any scope, the caller sees nothing.
    """
    if visibility.everything:
        return sa.true()
    return scope.in_([str(visible) for visible in visibility.scopes])
