"""The digest as a page of HTML."""

from collections.abc import Iterable, Iterator

from calmo_pagerduty.findings.model import Finding
from calmo_pagerduty.oncall.digest import Digest, DigestLine, DigestPart
from calmo_pagerduty.oncall.digest_markdown import NEWS, SILENCE, TITLES
from calmo_pagerduty.oncall.finding_texts import (
    figures_text,
    period_text,
    prose_parts,
    severity_text,
    zone_of,
)
from calmo_pagerduty.plots.html_page import html_link, html_page, html_text


def digest_html(digest: Digest) -> str:
    """Return the digest as a page."""
    return html_page(f"On-call digest: {digest.connection_name}", "\n".join(_body(digest)))


def limits_html(limits: Iterable[str], title: str = "What could not be checked") -> str:
    """Return the box that says what could not be seen; empty if all could."""
    items = "".join(f"<li>{html_text(limit)}</li>" for limit in limits)
    if not items:
        return ""
    return f'<div class="warning"><strong>{title}</strong><ul>{items}</ul></div>'


def html_prose(text: str) -> str:
    """Return a text of several words as HTML: commands as code, all else as text."""
    parts = ((html_text(part), is_code) for part, is_code in prose_parts(text))
    return "".join(f"<code>{part}</code>" if is_code else part for part, is_code in parts)


def finding_html(
    finding: Finding, time_zone: str, *, finding_id: int | None = None, tag: str | None = None
) -> str:
    """Return a finding as a card: title, figures, what to do, how to verify and to undo it."""
    address = next((entity.html_url for entity in finding.entities if entity.html_url), None)
    mark = f'<span class="tag">{html_text(tag)}</span>' if tag else ""
    rows = [
        ("Figures", html_text(figures_text(finding, zone_of(time_zone)))),
        ("Do", html_prose(finding.recommendation)),
        ("Effect", html_prose(finding.expected_effect)),
        ("Verify", html_prose(finding.how_to_verify)),
        ("Undo", html_prose(finding.how_to_undo)),
    ]
    if finding_id is not None:
        rows.append(("More", f"<code>calmo-pagerduty findings show {finding_id}</code>"))
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value)
    return (
        f'<div class="finding {finding.severity}"><span class="severity">{severity_text(finding)}</span>'
        f'<span class="title">{html_link(finding.title, address)}</span>{mark}<dl>{facts}</dl></div>'
    )


def _body(digest: Digest) -> Iterator[str]:
    zone = zone_of(digest.time_zone)
    yield f"<h1>On-call digest: {html_text(digest.connection_name)}</h1>"
    yield f'<p class="muted">{html_text(period_text(digest.since, digest.until, zone))}</p>'
    yield limits_html(digest.limits)
    if digest.is_silent:
        yield f'<p class="good">{SILENCE}</p>'
    for part in DigestPart:
        if lines := digest.part(part):
            yield f"<h2>{TITLES[part]}</h2>"
            yield from (_line(digest, line) for line in lines)
    command = "<code>calmo-pagerduty findings list</code>"
    yield f"<footer>{digest.open_count} findings are open: {command}</footer>"


def _line(digest: Digest, line: DigestLine) -> str:
    tag = None if line.news is None else NEWS[line.news]
    if line.part is DigestPart.RESOLVED and line.reason:
        tag = line.reason
    return finding_html(line.finding, digest.time_zone, finding_id=line.finding_id, tag=tag)
