"""What a page of the dashboard is: a row with its address, its permission and the function that fills it.

A page that is a GET is a `Page`; what a form does is an `Action`. `ingress.dashboard.site` lists the pages.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.session_store import Session
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.transactions import Transaction
from ingress.api.endpoints import query_values
from ingress.dashboard.security import ROOT
from ingress.dashboard.tables import Table
from ingress.parts import Ingress

T = TypeVar("T")
Q = TypeVar("Q", bound=BaseModel)

#: Which table or plot of the page is asked for as a file, and of which kind.
_PARAMETERS_OF_EVERY_PAGE = frozenset({"download", "table", "figure"})


@dataclass
class Ask:
    """A request of somebody who has signed in and has the page's permission.

    `caller` is what a handler of the REST API gets too, so `await ask.ingress.issues.list(ask.request,
    ask.caller, query)` shows what `GET /api/issues` shows. `now` is UTC.
    """

    request: Request
    ingress: Ingress
    session: Session
    now: datetime
    #: Fields of the form, in an action.
    form: FormData = field(default_factory=FormData)

    @property
    def caller(self) -> Principal:
        return self.session.principal

    @cached_property
    def download(self) -> str | None:
        """`csv` or `md` if a table of the page is asked for as a file, `svg` if a plot is."""
        wanted = self.request.query_params.get("download", "")
        return wanted if wanted in {"csv", "md", "svg"} else None

    def may(self, permission: str) -> bool:
        return permission in self.caller.permissions

    def query(self, model: type[Q]) -> Q:
        """Parse the address's parameters; those that every page has are left out. Raises ValidationError."""
        values = query_values(self.request, model)
        return model.model_validate(
            {name: value for name, value in values.items() if name not in _PARAMETERS_OF_EVERY_PAGE}
        )

    def text(self, field: str) -> str | None:
        """Return a field of the form without spaces around it; None if it is empty or not there."""
        value = self.form.get(field)
        return (value.strip() or None) if isinstance(value, str) else None

    def texts(self, field: str) -> list[str]:
        """Return all values of a field of the form, as they were sent."""
        return [value for value in self.form.getlist(field) if isinstance(value, str)]

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Read the database within what the caller may see. Raises StoreUnavailable."""
        return await self.ingress.services.database.read(work, self.caller.visibility)


@dataclass(frozen=True)
class Content:
    """What a page shows: the template's variables, and tables that can be downloaded, by name.

    The variable `figures` holds the page's plots, which can be downloaded, too.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Table[Any]] = field(default_factory=dict)
    #: The page's title where it depends on what is shown.
    title: str | None = None
    #: A file, such as a picture, which is answered instead of a drawn page.
    file: Response | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How an action ended: the path to go on to, and a message that is shown there."""

    path: str
    message: str
    #: `done`, `note` or `failed`.
    kind: str = "done"


@dataclass(frozen=True, slots=True)
class PageAtOnce:
    """What an action shows at once, such as a secret that is never kept. `page` says how it is drawn."""

    page: "Page"
    content: Content


View: TypeAlias = Callable[[Ask], Awaitable[Content]]
Do: TypeAlias = Callable[[Ask], "Awaitable[Done | PageAtOnce]"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or a part of one that is fetched by itself. `path` is below `ROOT`, such as `/issues/{id}`.

    The template is `templates/pages/NAME.html`, where NAME is `template`.
    """

    path: str
    title: str
    permission: str
    view: View
    template: str
    _: KW_ONLY
    #: The word in the navigation; None for a page that other pages link to.
    menu: str | None = None
    #: The key that follows `g` to go here.
    key: str | None = None
    #: The word in the row of tabs that the pages below a menu's item share, such as all of `/schedules/…`.
    tab: str | None = None
    #: What a page that sets things up is for. Such pages stand together under "Set up", not at the top.
    sets_up: str | None = None

    @property
    def address(self) -> str:
        return ROOT + self.path

    @property
    def area(self) -> str:
        """The first part of the path: pages of the same area share their tabs."""
        return self.path.split("/")[1]


@dataclass(frozen=True, slots=True)
class Action:
    """What a form does: a POST with the session's CSRF token, followed by a redirect to a page.

    Only what must not be kept is shown without the redirect.
    """

    path: str
    permission: str
    do: Do
    _: KW_ONLY
    #: Files that the form may send; each is a part of the bounded form.
    max_files: int = 0

    @property
    def address(self) -> str:
        return ROOT + self.path
