"""The dashboard as an ASGI application: its pages in one table, and how a request reaches them."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message as ASGIMessage

from calmo_pagerduty.access.session_store import Message
from ingress.api.endpoints import read_body
from ingress.api.errors import NotPermitted, ResourceNotFound
from ingress.api.key_limits import REQUESTS
from ingress.api.pictures import svg_response
from ingress.dashboard import oidc, security
from ingress.dashboard.csp_reports import receive_report
from ingress.dashboard.error_pages import SAID_ON_THE_PAGE, STATUS_OF, ErrorPages, explain, status_of
from ingress.dashboard.frame import Headline, headline
from ingress.dashboard.oidc import provider_sign_in
from ingress.dashboard.on_call import OnCallLines
from ingress.dashboard.page import Action, Ask, Content, Done, Page, PageAtOnce
from ingress.dashboard.pages import (
    absences,
    analyses,
    approvals,
    audit,
    connections,
    cover,
    deliveries,
    drills,
    findings,
    incident_replay,
    issue,
    issues,
    keys,
    now,
    operations,
    optimise,
    patterns,
    people,
    performance,
    permissions,
    policies,
    post_incident,
    reports,
    schedules,
    service_map,
    services,
    set_up,
    tools,
    trends,
    webhook_checks,
    webhooks,
    what_if,
)
from ingress.dashboard.rendering import Renderer
from ingress.dashboard.security import ROOT
from ingress.dashboard.sessions import Sessions
from ingress.dashboard.sign_in import SignIn
from ingress.dashboard.static_files import PATH as STATIC_PATH, StaticFiles
from ingress.dashboard.stream import LiveStream
from ingress.dashboard.themes import choose_theme
from ingress.parts import Ingress

#: All pages, in the order of the navigation.
PAGES: Sequence[Page] = (
    *now.PAGES,
    *issues.PAGES,
    *issue.PAGES,
    *incident_replay.PAGES,
    *post_incident.PAGES,
    # Before the pages of a schedule and of a policy, whose addresses these would be too.
    *schedules.PAGES[:1],
    *what_if.PAGES,
    *optimise.PAGES,
    *cover.PAGES,
    *absences.PAGES,
    *schedules.PAGES[1:],
    *policies.PAGES[:1],
    *drills.PAGES,
    *policies.PAGES[1:],
    *services.PAGES[:1],
    *service_map.PAGES,
    *services.PAGES[1:],
    *analyses.PAGES,
    # The page of a service's trend comes last: its address would be that of the others, too.
    *trends.PAGES[:-1],
    *performance.PAGES,
    *patterns.PAGES,
    *trends.PAGES[-1:],
    *findings.PAGES,
    *reports.PAGES,
    *approvals.PAGES,
    *tools.PAGES,
    *connections.PAGES,
    *permissions.PAGES,
    *webhooks.PAGES,
    *deliveries.PAGES,
    *keys.PAGES,
    *people.PAGES,
    *audit.PAGES,
    *operations.PAGES,
)
#: The page that leads to all pages that set things up.
SET_UP = set_up.PAGE
#: What forms do.
ACTIONS: Sequence[Action] = (
    *issues.ACTIONS,
    *issue.ACTIONS,
    *post_incident.ACTIONS,
    *findings.ACTIONS,
    *approvals.ACTIONS,
    *connections.ACTIONS,
    *permissions.ACTIONS,
    *webhooks.ACTIONS,
    *webhook_checks.ACTIONS,
    *deliveries.ACTIONS,
    *keys.ACTIONS,
    *people.ACTIONS,
    *analyses.ACTIONS,
    *what_if.ACTIONS,
    *cover.ACTIONS,
    *absences.ACTIONS,
    *drills.ACTIONS,
    *reports.ACTIONS,
)

MAX_FORM_FIELDS = 200
MAX_FORM_BYTES = 1024 * 1024
_DOWNLOAD_TYPES = {"csv": "text/csv; charset=utf-8", "md": "text/markdown; charset=utf-8"}

Handler = Callable[[Request], Awaitable[Response]]


class Dashboard:
    """Serves `PAGES` and `ACTIONS` to whoever has signed in and has their permission."""

    def __init__(self, ingress: Ingress) -> None:
        services = ingress.services
        self._ingress = ingress
        self._public_address = services.settings.public_address
        self._static = StaticFiles(ROOT)
        self._renderer = Renderer(self._static)
        self._sessions = Sessions(services.database, self._public_address)
        self._sign_in = SignIn(
            services.database,
            self._sessions,
            self._renderer,
            self._public_address,
            provider_sign_in(services.settings, services.database),
        )
        self._on_call = OnCallLines(services)
        self._stream = LiveStream(services.database, self._sessions, ingress.issues.closing)

    def app(self) -> Starlette:
        """Return the application, to be mounted at `ROOT`."""
        errors = ErrorPages(self._renderer)
        return Starlette(
            routes=[
                Route("/", go_to_first_page),
                Route(STATIC_PATH, self._static.serve),
                Route("/stream", self._stream.serve),
                Route("/sign-in", self._sign_in.show),
                Route("/sign-in/link", self._sign_in.show),
                Route(oidc.BEGIN, self._sign_in.to_provider, methods=["GET"]),
                Route(oidc.CALLBACK, self._sign_in.from_provider, methods=["GET"]),
                Route(oidc.LOGOUT, self._sign_in.log_out, methods=["POST"]),
                Route("/sign-in/{way}", self._sign_in.post, methods=["POST"]),
                Route("/sign-out", self._sign_out, methods=["POST"]),
                Route("/theme", self._choose_theme, methods=["POST"]),
                Route(security.CSP_REPORTS, receive_report, methods=["POST"]),
                *(Route(page.path, self._shows(page)) for page in (*PAGES, SET_UP)),
                *(Route(action.path, self._does(action), methods=["POST"]) for action in ACTIONS),
            ],
            middleware=[Middleware(security.SecureHeaders)],
            exception_handlers={
                **dict.fromkeys(STATUS_OF, errors.answer),
                HTTPException: errors.answer,
                Exception: errors.answer_fault,
            },
        )

    def _shows(self, page: Page) -> Handler:
        async def handler(request: Request) -> Response:
            ask = await self._ask(request, page.permission)
            with REQUESTS.taken(ask.caller.key_id):
                return await self._show(ask, page)

        return handler

    async def _show(self, ask: Ask, page: Page) -> Response:
        # First: the stream brings what changes after this line was read, also while the page is read.
        line = await headline(ask, self._on_call)
        shown = await page.view(ask)
        if shown.file is not None:
            return shown.file
        if ask.download is not None:
            return _download(ask, shown)
        return await self._page(ask, page, shown, line)

    async def _page(self, ask: Ask, page: Page, shown: Content, line: Headline) -> Response:
        secret = self._sessions.secret(ask.request) or ""
        # A part that a script fetches again would swallow what the next page is to say.
        messages = () if ask.request.headers.get("hx-request") else ask.session.messages
        menu = [item for item in PAGES if item.menu and ask.may(item.permission)]
        if messages:
            await self._sessions.say(ask.session, ())
        return self._renderer.response(
            ask.request,
            f"pages/{page.template}.html",
            title=shown.title or page.title,
            page=page,
            tabs=[item for item in PAGES if item.tab and item.area == page.area and ask.may(item.permission)],
            pages=[item for item in menu if not item.sets_up],
            set_up_pages=[item for item in menu if item.sets_up],
            headline=line,
            principal=ask.caller,
            may=ask.may,
            csrf=security.csrf_token(secret),
            messages=messages,
            tables=shown.tables,
            **shown.values,
        )

    def _does(self, action: Action) -> Handler:
        async def handler(request: Request) -> Response:
            ask = await self._ask(request, action.permission)
            await self._check_form(ask, action.max_files)
            try:
                with REQUESTS.taken(ask.caller.key_id):
                    done = await _outcome(action, ask)
            finally:
                await ask.form.close()
            if isinstance(done, PageAtOnce):
                return await self._page(ask, done.page, done.content, await headline(ask, self._on_call))
            message = Message(done.kind, done.message)
            await self._sessions.say(ask.session, (*ask.session.messages, message))
            return RedirectResponse(security.safe_path(done.path), 303)

        return handler

    async def _ask(self, request: Request, permission: str) -> Ask:
        """Raises NotAuthenticated, NotPermitted, StoreUnavailable."""
        session = await self._sessions.find(request)
        if permission not in session.principal.permissions:
            raise NotPermitted(f"this needs the permission {permission}, which your API key lacks")
        return Ask(request, self._ingress, session, datetime.now(UTC))

    async def _check_form(self, ask: Ask, max_files: int = 0) -> None:
        """Raises NotPermitted, BodyTooLarge."""
        security.check_origin(ask.request, self._public_address)
        body = await read_body(ask.request, MAX_FORM_BYTES)

        async def receive() -> ASGIMessage:
            return {"type": "http.request", "body": body}

        # A file is read into the bounded body first: Starlette's parser would write any size to the disk.
        whole = Request(ask.request.scope, receive)
        ask.form = await whole.form(max_files=max_files, max_fields=MAX_FORM_FIELDS)
        security.check_csrf_token(self._sessions.secret(ask.request) or "", ask.form)

    async def _sign_out(self, request: Request) -> Response:
        """POST /dashboard/sign-out"""
        ask = Ask(request, self._ingress, await self._sessions.find(request), datetime.now(UTC))
        await self._check_form(ask)
        response = RedirectResponse(f"{ROOT}/sign-in", 303)
        await self._sessions.end(request, response, ask.session)
        return response

    async def _choose_theme(self, request: Request) -> Response:
        """POST /dashboard/theme. It needs no session, so it has no token."""
        security.check_origin(request, self._public_address)
        return await choose_theme(request, security.is_https(request, self._public_address))


async def _outcome(action: Action, ask: Ask) -> Done | PageAtOnce:
    """Carry out an action. What is refused for its content is said on the page with the form."""
    try:
        return await action.do(ask)
    except tuple(STATUS_OF) as error:
        back = ask.text("back")
        if back is None or status_of(error) not in SAID_ON_THE_PAGE:
            raise
        return Done(back, f"Nothing was done: {explain(error)}", "failed")


async def go_to_first_page(_request: Request) -> Response:
    """GET /, /dashboard and /dashboard/"""
    return RedirectResponse(f"{ROOT}/now", 307)


def _download(ask: Ask, shown: Content) -> Response:
    """Return a table or a plot as a file. Raises ResourceNotFound."""
    if ask.download == "svg":
        return _picture(ask, shown)
    name = ask.request.query_params.get("table") or next(iter(shown.tables), "")
    table, kind = shown.tables.get(name), str(ask.download)
    if table is None:
        raise ResourceNotFound(f"this page has no table {name[:40]!r}")
    text = table.csv() if kind == "csv" else table.markdown()
    return Response(text, media_type=_DOWNLOAD_TYPES[kind], headers=_as_file(ask, name))


def _picture(ask: Ask, shown: Content) -> Response:
    """Return a plot as a file. Raises ResourceNotFound."""
    name = ask.request.query_params.get("figure", "")
    figure = next((figure for figure in shown.values.get("figures", ()) if figure.id == name), None)
    if figure is None:
        raise ResourceNotFound(f"this page has no plot {name[:40]!r}")
    response = svg_response(figure)
    response.headers.update(_as_file(ask, name))
    return response


def _as_file(ask: Ask, name: str) -> dict[str, str]:
    file = re.sub(r"[^a-z0-9]+", "-", f"{name} {ask.now:%Y-%m-%d %H%M}".lower()).strip("-")
    return {"Content-Disposition": f'attachment; filename="{file}.{ask.download}"'}
