"""Draws templates. Everything is escaped; a variable that a template misspells is an error, not a blank."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.plots.svg import Figure
from ingress.dashboard import looks
from ingress.dashboard.security import ROOT
from ingress.dashboard.static_files import StaticFiles

TEMPLATES = Path(__file__).parent / "templates"
THEME_COOKIE = "calmo-theme"
MAX_TEXT = 20_000
THEMES = ("system", "light", "dark")


class Renderer:
    """Draws templates with what every page knows: addresses of files, the theme, the time."""

    def __init__(self, static_files: StaticFiles) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=_without_invisible_characters,
        )
        self._environment.filters |= {
            "ago": relative_time,
            "utc": absolute_time,
            "iso": iso_time,
            "span": duration,
            "web": web_address,
            "drawn": drawn,
        }
        self._environment.globals |= {
            "ROOT": ROOT,
            "asset": static_files.address,
            **{name: table for name, table in vars(looks).items() if name.startswith("LOOK_OF_")},
        }

    def response(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self.text(request, template, values), status)

    def text(self, request: Request, template: str, values: Mapping[str, Any]) -> str:
        theme = request.cookies.get(THEME_COOKIE, "system")
        return self._environment.get_template(template).render(
            {
                "now": datetime.now(UTC),
                "theme": theme if theme in THEMES else "system",
                "path": request.url.path,
                "address": address_of(request),
                "with_query": lambda **changes: with_query(request, changes),
                "query": request.query_params,
                **values,
            }
        )


def _without_invisible_characters(value: Any) -> Any:
    """PagerDuty's texts are written by whoever can send an alert. What templates drew already stays."""
    return sanitize_text(value, MAX_TEXT) if type(value) is str else value


def drawn(figure: Figure) -> Markup:
    """Return a figure for the middle of a page.

    It is markup by our own writer, which escapes every text and knows neither scripts nor style attributes.
    """
    return Markup(figure.inline())  # noqa: S704 - see the docstring; tests draw hostile names


def address_of(request: Request) -> str:
    """Return the path and the parameters that were asked for."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def with_query(request: Request, changes: Mapping[str, Any]) -> str:
    """Return the address of this page with parameters set, or removed where the value is None."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    for name, value in changes.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        kept += [(name, str(item)) for item in values if item is not None]
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")


def relative_time(moment: datetime, now: datetime) -> str:
    """Return `3 min ago` or `in 2 h`. `static/times.js` says it in the same words."""
    seconds = (now - moment).total_seconds()
    text = duration(abs(seconds))
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def duration(value: float | timedelta) -> str:
    """Return seconds as `45 s`, `3 min`, `2 h 05 min` or `4 d 3 h`."""
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def absolute_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def web_address(text: str | None) -> str | None:
    """Return a link's target if it is http or https. Other kinds could run a script."""
    if text is None or re.search(r"[\x00-\x20]", text):
        return None
    parts = urlsplit(text)
    return text if parts.scheme in {"http", "https"} and parts.netloc else None
