"""Which rows a caller may see: the one place where a query compares a scope with its caller's."""

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from calmo_pagerduty.kernel.scopes import Visibility


def visible_to(scope: ColumnElement[str], visibility: Visibility) -> ColumnElement[bool]:
    """Return the condition that a row's owner is one of the caller's scopes.

    Args:
        scope: The column that names the owner, as `personal:USER` or `organization:ORG`. Rows without
            one of their own take their webhook's or their connection's, which the query joins.
        visibility: What the caller may see. Without any scope it is nothing at all.
    """
    if visibility.everything:
        return sa.true()
    return scope.in_([str(visible) for visible in visibility.scopes])
