"""The dashboard with thousands of open issues in a real browser, and what open live streams cost the door."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.async_api import Page, async_playwright

from bench.figures import Figure, Figures, percentile
from bench.incidents import IncidentGenerator
from bench.product import ProductSide, running_product
from bench.progress import print_progress
from bench.shapes import open_loop
from bench.sides import AbsorptionWatch, all_of
from bench.sizes import Sizes

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGES = ("/dashboard/now", "/dashboard/issues")
MAX_PAINT_MS, MAX_INTERACTION_MS, MAX_RATIO = 1_000.0, 100.0, 1.3
DELIVERIES_PER_SECOND = 100
IN_FLIGHT = 16
#: From the click until the next page is drawn, as the browser itself measures it.
_DRAWN_AFTER = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
#: A page is loaded before it is painted. Waiting for a condition would need `eval`, which our pages forbid.
_FIRST_PAINT = """() => new Promise(painted => new PerformanceObserver(list => {
    const [first] = list.getEntriesByName("first-contentful-paint");
    if (first) painted(first.startTime);
}).observe({type: "paint", buffered: true}))"""


async def measure(folder: Path, sizes: Sizes) -> tuple[Figures, dict[str, Any]]:
    """Measure pages with `sizes.dashboard_issues` open issues, then `sizes.dashboard_streams` streams."""
    generator = IncidentGenerator(seed=9)
    async with running_product(folder) as product:
        await _open_issues(product, generator, sizes.dashboard_issues)
        figures = await _measure_pages(product, sizes)
        figures |= await _measure_streams(product, generator, sizes)
    return figures, {"open_issues": sizes.dashboard_issues, "streams": sizes.dashboard_streams}


async def _open_issues(product: ProductSide, generator: IncidentGenerator, count: int) -> None:
    print_progress(f"opening {count} issues")
    events = [event for incident in generator.triggered(count) for event in incident.events]
    product.prepare(events)
    left = iter(events)

    async def send_all() -> None:
        for event in left:
            await product.send(event)

    async with AbsorptionWatch(product) as absorption:
        expected = [absorption.expect(event) for event in events]
        await asyncio.gather(*(send_all() for _ in range(IN_FLIGHT)))
        await all_of(expected)


async def _measure_pages(product: ProductSide, sizes: Sizes) -> Figures:
    print_progress("opening pages in a browser")
    async with _browser_page() as page:
        await page.goto(f"{product.url}/dashboard/sign-in")
        await page.get_by_label("API key").fill(product.make_api_key())
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/dashboard/now")
        paints: list[float] = []
        interactions: list[float] = []
        for _ in range(sizes.dashboard_visits):
            for path in PAGES:
                await page.goto(product.url + path)
                paints.append(float(await page.evaluate(_FIRST_PAINT)))
            interactions += await _click_through(page)
    return {
        "first_paint_ms_worst": Figure(max(paints), "ms", MAX_PAINT_MS),
        "interaction_ms_p50": Figure(percentile(interactions, 50), "ms"),
        "interaction_ms_p95": Figure(percentile(interactions, 95), "ms", MAX_INTERACTION_MS),
    }


async def _click_through(page: Page) -> Sequence[float]:
    """Filter, open the first issue, and go back to the list: how long each took until it was drawn."""
    drawn = []
    for name in ("Unacknowledged", "All"):
        await page.get_by_role("link", name=name, exact=True).click()
        drawn.append(float(await page.evaluate(_DRAWN_AFTER)))
    await page.locator(".row-link").first.click()
    await page.wait_for_url("**/issues/iss*")
    drawn.append(float(await page.evaluate(_DRAWN_AFTER)))
    return drawn


async def _measure_streams(product: ProductSide, generator: IncidentGenerator, sizes: Sizes) -> Figures:
    print_progress(f"deliveries with and without {sizes.dashboard_streams} open streams")
    ingress = psutil.Process(product.pids()["ingress"])
    without = await _door_p99(product, generator, sizes)
    before = ingress.memory_info().rss
    writers = await product.open_streams(sizes.dashboard_streams)
    beside = await _door_p99(product, generator, sizes)
    more = (ingress.memory_info().rss - before) / sizes.dashboard_streams
    for writer in writers:
        writer.close()
    return {
        "memory_kb_per_stream": Figure(max(more, 0) / 1e3, "kB"),
        "door_p99_ms_without_streams": Figure(without, "ms"),
        "door_p99_ms_with_streams": Figure(beside, "ms"),
        "door_p99_ratio": Figure(beside / without, "", MAX_RATIO),
    }


async def _door_p99(product: ProductSide, generator: IncidentGenerator, sizes: Sizes) -> float:
    count = round(DELIVERIES_PER_SECOND * sizes.ack_seconds)
    events = [event for incident in generator.triggered(count) for event in incident.events]
    product.prepare(events)
    answers = await open_loop(product.post, events, DELIVERIES_PER_SECOND)
    return percentile([(answer.at - scheduled) * 1e3 for scheduled, answer in answers], 99)


@asynccontextmanager
async def _browser_page() -> AsyncIterator[Page]:
    """Yield a page of the machine's Chromium. Raises RuntimeError if there is none."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise RuntimeError("this measurement needs a browser: install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield await browser.new_page(viewport={"width": 1280, "height": 900})
        await browser.close()
