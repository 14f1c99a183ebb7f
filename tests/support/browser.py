"""A real browser for tests of pages: the machine's Chromium, driven by Playwright.

A page fails its test on an error of the console, a fault of a script, a report of the content security
policy, or a request to another origin.
"""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from tests.support.patience import ANSWER

#: Set where a browser must be there: then a machine without one fails instead of going without.
NEED_BROWSER = "CALMO_TESTS_NEED_BROWSER"
#: A folder for screenshots of what tests look at; unset, none are made.
SCREENSHOTS = "CALMO_TESTS_SCREENSHOTS"
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    # Root in a container has no sandbox; shared memory is small there.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # Pages that nobody looks at need few processes.
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--in-process-gpu",
    "--disable-extensions",
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
)
#: A phone's and a desk's width.
WIDTHS = (360, 1280)
HEIGHT = 900
THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")

#: How axe looks. We read no selectors, and the pages have no frames and no sounds.
_BRIEFLY = "resultTypes: ['violations'], selectors: false, preload: false, iframes: false"
COLOURS = f"{{{_BRIEFLY}, runOnly: ['color-contrast']}}"
ALL_BUT_COLOURS = f"{{{_BRIEFLY}, rules: {{'color-contrast': {{enabled: false}}}}}}"

# A page on a busy machine takes longer than Playwright's five seconds.
expect.set_options(timeout=ANSWER * 1000)

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
WAYS_OF_WRITING = Path(__file__).with_name("ways_of_writing.js")


def find_browser() -> str | None:
    """Return the path of the machine's Chromium; None if it has none."""
    return next((path for command in COMMANDS if (path := shutil.which(command))), None)


@contextlib.asynccontextmanager
async def running_browser(path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=FLAGS,
        )
        yield browser
        _CONTEXTS.clear()
        await browser.close()


@dataclass
class Visit:
    """A page in a browser of its own, with what went wrong in it."""

    site: str
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)

    async def goto(self, path: str) -> None:
        await self.page.goto(self.site + path)

    async def sign_in(self, key: str, then: str | None = "/dashboard/now") -> None:
        """Sign in with an API key and go on, without the form, which would be another page to draw."""
        answer = await self.context.request.post(
            f"{self.site}/dashboard/sign-in/key",
            form={"key": key},
            headers={"Origin": self.site},
            max_redirects=0,
        )
        assert answer.status == 303, await answer.text()
        if then is not None:
            await self.goto(then)

    async def sign_in_by_form(self, key: str, then: str = "/dashboard/now") -> None:
        """Sign in with an API key as people do."""
        await self.goto(f"/dashboard/sign-in?next={then}")
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(f"**{then}")

    async def screenshot(self, name: str) -> None:
        """Keep a picture of the whole page, if `CALMO_TESTS_SCREENSHOTS` names a folder."""
        if folder := os.environ.get(SCREENSHOTS):
            await self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    async def looks_wrong(self, name: str) -> list[str]:
        """Return what is wrong with the page at both widths and in both themes, and keep pictures of each.

        Colours are judged in both themes, and only at a desk's width: they don't depend on it and cost most.
        """
        # Not as a script element: the page's policy forbids that.
        await self.page.evaluate(AXE.read_text())
        problems: list[str] = []
        for width in WIDTHS:
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            for theme in THEMES if width == max(WIDTHS) or SCREENSHOTS in os.environ else ():
                await self.page.emulate_media(color_scheme=theme)
                await self.screenshot(f"{name}-{width}-{theme}")
                if width == max(WIDTHS):
                    problems += await self._axe(COLOURS, f"({WAYS_OF_WRITING.read_text()})()")
            problems += await self._axe(ALL_BUT_COLOURS)
            if (wide := await self.page.evaluate("document.documentElement.scrollWidth")) > width:
                problems.append(f"the page is {wide} px wide, its window {width} px")
        return problems

    async def _axe(self, options: str, where: str = "document") -> list[str]:
        found = await self.page.evaluate(f"() => axe.run({where}, {options})")
        return [
            f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    @contextlib.contextmanager
    def expecting_problems(self) -> Iterator[None]:
        """What goes wrong inside is meant to."""
        before = list(self.problems)
        yield
        self.problems[:] = before


@contextlib.asynccontextmanager
async def visiting(
    browser: Browser, site: str, *, width: int = 1280, scripts: bool = True, moves_time: bool = False
) -> AsyncIterator[Visit]:
    """Open a page as of a browser that was never here, and fail if anything went wrong in it.

    A test that moves the page's time gets a context of its own, because a context's clock stays moved.
    """
    context = await (_new_context(browser, scripts) if moves_time else _context(browser, scripts))
    if moves_time:
        await context.clock.install()
    page = await context.new_page()
    try:
        page.set_default_timeout(ANSWER * 1000)
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        visit = Visit(site, context, page)
        _watch(visit)
        yield visit
        assert not visit.problems, "\n".join(visit.problems)
    finally:
        if scripts:
            await page.evaluate("() => { try { localStorage.clear() } catch { } }")
        await page.close()
        await (context.close() if moves_time else context.clear_cookies())


#: The contexts with and without scripts. One for each test would cost a process for each.
_CONTEXTS: dict[tuple[Browser, bool], BrowserContext] = {}


async def _context(browser: Browser, scripts: bool) -> BrowserContext:
    if (browser, scripts) not in _CONTEXTS:
        context = _CONTEXTS[browser, scripts] = await _new_context(browser, scripts)
        # A page that stays keeps the process.
        await context.new_page()
    return _CONTEXTS[browser, scripts]


async def _new_context(browser: Browser, scripts: bool) -> BrowserContext:
    return await browser.new_context(
        java_script_enabled=scripts,
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )


def _watch(visit: Visit) -> None:
    def note_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.path.endswith("/csp-reports"):
            visit.problems.append(f"content security policy: {request.post_data}")
        if address.scheme != "data" and f"{address.scheme}://{address.netloc}" != visit.site:
            visit.problems.append(f"a request to another origin: {request.url}")

    visit.page.on("request", note_request)
    visit.page.on("pageerror", lambda error: visit.problems.append(f"script: {error}"))
    visit.page.on(
        "console",
        lambda line: (
            visit.problems.append(f"console: {line.text}") if line.type in {"error", "warning"} else None
        ),
    )
