"""The theme: light, dark, or what the system has. A cookie holds it, so that no script must run first."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingress.dashboard import security
from ingress.dashboard.rendering import THEME_COOKIE, THEMES

YEAR_SECONDS = 365 * 86_400


async def choose_theme(request: Request, https: bool) -> Response:
    """Keep the form's theme, and go back to the page it was chosen on."""
    form = await request.form(max_files=0, max_fields=5)
    theme, back = form.get("theme"), form.get("back")
    response = RedirectResponse(security.safe_path(back if isinstance(back, str) else None), 303)
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, str(theme), max_age=YEAR_SECONDS, secure=https, httponly=True, samesite="lax"
        )
    return response
