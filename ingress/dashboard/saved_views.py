"""A person's own views of a list: they name the filters of the address, and delete the name again.

`templates/facets.html` draws them beside the views that everybody has.
"""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from calmo_pagerduty.access import saved_view_store
from calmo_pagerduty.access.saved_view_store import SavedView
from ingress.api.models import Model
from ingress.dashboard.page import Action, Ask, Done
from ingress.dashboard.security import ROOT

#: What the address holds beside filters.
_NOT_FILTERS = frozenset({"cursor", "limit", "download", "table"})


class _ViewForm(Model):
    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]*$")]
    query: Annotated[str, Field(min_length=1, max_length=2000)]


async def list_own_views(ask: Ask, path: str) -> Sequence[SavedView]:
    """Return the caller's views of the list at this path. Raises StoreUnavailable."""
    return await ask.read(lambda t: saved_view_store.list_views(t, ask.caller, path))


def view_actions(path: str, permission: str, filters: type[BaseModel]) -> tuple[Action, ...]:
    """Return the forms of a list's own views. `filters` is what the list's address may hold."""

    async def save(ask: Ask) -> Done:
        """POST …/views with the filters in the address. Raises ValidationError, TooManyViews."""
        ask.query(filters)
        given = ask.request.query_params.multi_items()
        query = urlencode([(name, value) for name, value in given if name not in _NOT_FILTERS])
        form = _ViewForm(name=" ".join((ask.text("name") or "").split()), query=query)
        view = SavedView(form.name, form.query)
        await ask.ingress.services.database.write(
            lambda t: saved_view_store.insert_view(t, ask.caller, path, view, ask.now)
        )
        return Done(f"{ROOT}{path}?{query}", f"Saved as {view.name}. Only you see this view.")

    async def delete(ask: Ask) -> Done:
        """POST …/views/delete"""
        name = ask.text("name") or ""
        await ask.ingress.services.database.write(
            lambda t: saved_view_store.delete_view(t, ask.caller, path, name)
        )
        return Done(f"{ROOT}{path}", f"The view {name} is deleted.")

    return Action(f"{path}/views", permission, save), Action(f"{path}/views/delete", permission, delete)
