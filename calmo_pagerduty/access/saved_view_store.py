"""Views that people saved: named filters of a list of the dashboard. Everybody has their own."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.session_tables import saved_views
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError

#: At most so many views of a list are one person's.
MAX_VIEWS = 20


class TooManyViews(ExplainedError):
    """The person has as many views of this list as they may. The message says what to do."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A named filter. `query` is the query of the list's address, without a question mark."""

    name: str
    query: str


def list_views(tx: Transaction, principal: Principal, path: str) -> tuple[SavedView, ...]:
    """Return the principal's views of the list at this path, the oldest first."""
    query = (
        sa.select(saved_views.c.name, saved_views.c.query)
        .where(saved_views.c.owner == principal.owner, saved_views.c.path == path)
        .order_by(saved_views.c.created_at, saved_views.c.name)
    )
    return tuple(SavedView(row.name, row.query) for row in tx.execute(query))


def insert_view(tx: Transaction, principal: Principal, path: str, view: SavedView, now: datetime) -> None:
    """Save a view; one of the same name is replaced. Raises TooManyViews."""
    delete_view(tx, principal, path, view.name)
    if len(list_views(tx, principal, path)) >= MAX_VIEWS:
        raise TooManyViews(f"you have {MAX_VIEWS} views of this list already: delete one first")
    tx.execute(
        saved_views.insert().values(
            owner=principal.owner, path=path, name=view.name, query=view.query, created_at=now
        )
    )


def delete_view(tx: Transaction, principal: Principal, path: str, name: str) -> bool:
    """Delete a view; tell whether it was there."""
    mine = (
        saved_views.c.owner == principal.owner,
        saved_views.c.path == path,
        saved_views.c.name == name,
    )
    return tx.execute(sa.delete(saved_views).where(*mine)).rowcount > 0
