"""What browsers are told, and what pages are made of."""

import gzip
import hashlib
import json
import re

import pytest

from ingress.api import key_limits
from ingress.dashboard.rendering import TEMPLATES
from ingress.dashboard.static_files import FOLDER
from tests.support.dashboard import DashboardSite

#: The scripts of the heaviest page, compressed, together.
MAX_SCRIPT_BYTES = 60_000


async def test_every_answer_has_the_strict_policy(site: DashboardSite) -> None:
    signed_in = await site.session(site.a_key())
    for path in ("/dashboard/now", "/dashboard/nowhere", "/dashboard/sign-in", "/dashboard/issues/x/row"):
        headers = (await signed_in.get(path)).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


async def test_files_are_served_for_ever_under_the_hash_of_their_content(site: DashboardSite) -> None:
    page = (await site.client.get("/dashboard/sign-in")).text
    addresses = re.findall(r'(?:href|src)="(/dashboard/static/[^"]+)"', page)
    assert addresses
    for address in addresses:
        answer = await site.client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(answer.content).hexdigest()[:12] in address
    assert (await site.client.get("/dashboard/static/app.css")).status_code == 404


async def test_a_page_s_scripts_are_small(site: DashboardSite) -> None:
    page = (await (await site.session(site.a_key())).get("/dashboard/issues")).text
    waiting, seen = re.findall(r'src="([^"]+\.js)"', page), {}
    while waiting:
        address = waiting.pop()
        content = (await site.client.get(address)).content
        seen[address] = len(gzip.compress(content))
        waiting += [
            f"/dashboard/static/{name}"
            for name in re.findall(r'from "\./([^"]+)"', content.decode())
            if f"/dashboard/static/{name}" not in seen
        ]
    assert len(seen) >= 5
    assert sum(seen.values()) <= MAX_SCRIPT_BYTES, seen


def test_vendored_scripts_are_what_the_manifest_says() -> None:
    folder = FOLDER / "vendor"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {path.name for path in folder.glob("*.js")} == set(manifest)
    for name, row in manifest.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == row["sha256"], name
        assert (folder / row["licence"]).read_text()


def test_no_template_has_an_inline_script_or_style_or_turns_escaping_off() -> None:
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on|js:|\|\s*safe", text), (
            path
        )


async def test_a_browser_s_report_is_taken(site: DashboardSite) -> None:
    report = {"csp-report": {"effective-directive": "script-src", "document-uri": "http://x/secret"}}
    assert (await site.client.post("/dashboard/csp-reports", json=report)).status_code == 204
    assert (await site.client.post("/dashboard/csp-reports", content=b"[")).status_code == 400


async def test_pages_count_among_the_requests_that_a_key_may_have_under_way(
    site: DashboardSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = await site.session(site.a_key())
    assert (await signed_in.get("/dashboard/now")).status_code == 200
    monkeypatch.setattr(key_limits.REQUESTS, "at_most", 0)
    refused = await signed_in.get("/dashboard/now")
    assert refused.status_code == 429
    assert "requests under way" in refused.text
