"""The digest as markdown. All texts from PagerDuty and from people are escaped."""

from collections.abc import Iterator, Mapping

from calmo_pagerduty.findings.lifecycle import FindingEventKind
from calmo_pagerduty.kernel.markdown_text import code_span, escape_markdown, markdown_link, single_line
from calmo_pagerduty.oncall.digest import Digest, DigestLine, DigestPart
from calmo_pagerduty.oncall.finding_texts import (
    figures_text,
    period_text,
    prose_parts,
    severity_text,
    zone_of,
)

TITLES: Mapping[DigestPart, str] = {
    DigestPart.GAPS: "Nobody would be paged",
    DigestPart.NEXT_WEEK: "Next week",
    DigestPart.NEW: "New",
    DigestPart.WORSENED: "Got worse",
    DigestPart.RESOLVED: "Resolved since",
}
NEWS: Mapping[FindingEventKind, str] = {
    FindingEventKind.FOUND: "new",
    FindingEventKind.RETURNED: "returned",
    FindingEventKind.WORSENED: "got worse",
    FindingEventKind.EASED: "eased",
    FindingEventKind.RESOLVED: "resolved",
    FindingEventKind.ACCEPTED: "accepted",
    FindingEventKind.DISMISSED: "dismissed",
    FindingEventKind.UNDONE: "undone",
}
SILENCE = "Nothing new is wrong."
MAX_LINE = 1000


def digest_markdown(digest: Digest) -> str:
    """Return the digest as a page of markdown."""
    zone = zone_of(digest.time_zone)
    name = escape_markdown(digest.connection_name)
    lines = [f"# On-call digest: {name}", "", period_text(digest.since, digest.until, zone)]
    if digest.limits:
        lines += ["", "**What could not be checked**", ""]
        lines += [f"- {escape_markdown(limit)}" for limit in digest.limits]
    if digest.is_silent:
        lines += ["", SILENCE]
    for part in DigestPart:
        if in_part := digest.part(part):
            lines += ["", f"## {TITLES[part]}", ""]
            for line in in_part:
                lines += _lines(digest, line)
    lines += ["", f"{digest.open_count} findings are open: `calmo-pagerduty findings list`", ""]
    return "\n".join(lines)


def markdown_prose(text: str) -> str:
    """Return a text of several words as markdown: commands as code, all else escaped."""
    line = single_line(text, MAX_LINE)
    return "".join(
        code_span(part, MAX_LINE) if is_code else _escaped(part) for part, is_code in prose_parts(line)
    )


def _escaped(part: str) -> str:
    """Escape a part and keep the spaces around it."""
    inner = part.strip()
    if not inner:
        return part
    start = part.index(inner)
    return f"{part[:start]}{escape_markdown(inner, MAX_LINE)}{part[start + len(inner) :]}"


def _lines(digest: Digest, line: DigestLine) -> Iterator[str]:
    finding = line.finding
    address = next((entity.html_url for entity in finding.entities if entity.html_url), None)
    title = markdown_link(escape_markdown(finding.title), address)
    news = f" *({NEWS[line.news]})*" if line.news is not None else ""
    yield f"- **{severity_text(finding)}** {title}{news}"
    if figures := figures_text(finding, zone_of(digest.time_zone)):
        yield f"  - {escape_markdown(figures, MAX_LINE)}"
    if line.part is DigestPart.RESOLVED:
        if line.reason:
            yield f"  - {escape_markdown(line.reason, MAX_LINE)}"
        return
    yield f"  - Do: {markdown_prose(finding.recommendation)}"
    yield f"  - Verify: {markdown_prose(finding.how_to_verify)}"
    yield f"  - `calmo-pagerduty findings show {line.finding_id}`"
