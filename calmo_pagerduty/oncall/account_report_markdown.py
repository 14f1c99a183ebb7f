"""An account's page as markdown. All texts from PagerDuty and from people are escaped."""

from collections.abc import Iterator

from calmo_pagerduty.findings.model import FindingSeverity
from calmo_pagerduty.kernel.markdown_text import code_span, escape_markdown, markdown_link
from calmo_pagerduty.oncall.account_report import AccountReport, AnalysisPart, ReportedFinding
from calmo_pagerduty.oncall.digest_markdown import markdown_prose
from calmo_pagerduty.oncall.finding_texts import (
    figures_text,
    period_text,
    severity_text,
    time_text,
    zone_of,
)
from calmo_pagerduty.oncall.metrics_tables import Table

MAX_TEXT = 1000
#: The plots and pages that the REST API serves, by their title.
PLOTS = (
    ("Escalation policies, 30 days", "coverage/policies.svg?days=30"),
    ("Schedules, a week", "coverage/schedules.svg?days=7"),
    ("Who bears how many hours", "workload/plot.svg?days=28"),
    ("Everything on one page, with readiness and pages", "oncall/report?format=html"),
)


def account_markdown(report: AccountReport) -> str:
    """Return the page, with links to the plots."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: AccountReport) -> Iterator[str]:
    zone = zone_of(report.time_zone)
    yield f"# On-call report: {escape_markdown(report.connection_name)}"
    yield ""
    yield (
        f"Made {time_text(report.made_at, zone)} by {escape_markdown(report.author)}"
        f" for {escape_markdown(report.scope)}"
    )
    if report.limits:
        yield from ("", "**What could not be seen**", "")
        yield from (f"- {escape_markdown(limit, MAX_TEXT)}" for limit in report.limits)
    yield from ("", "## Open findings", "")
    if not report.findings:
        yield "None."
    counts = [f"{report.count(severity)} {severity}" for severity in FindingSeverity]
    yield from ([", ".join(counts), ""] if report.findings else [])
    for reported in report.findings:
        yield from _finding(report, reported)
    if report.parts:
        yield from _plots(report)
    for part in report.parts:
        yield from _part(report, part)


def _plots(report: AccountReport) -> Iterator[str]:
    """Link to the plots, which a reader opens with an API key. The addresses are those of the REST API."""
    yield from ("", "## Plots", "")
    for title, place in PLOTS:
        yield f"- [{title}](/api/connections/{report.connection_id}/{place})"


def _finding(report: AccountReport, reported: ReportedFinding) -> Iterator[str]:
    finding = reported.finding
    address = next((entity.html_url for entity in finding.entities if entity.html_url), None)
    title = markdown_link(escape_markdown(finding.title), address)
    yield f"- **{severity_text(finding)}** {title} *({reported.state})*"
    if figures := figures_text(finding, zone_of(report.time_zone)):
        yield f"  - {escape_markdown(figures, MAX_TEXT)}"
    yield f"  - Do: {markdown_prose(finding.recommendation)}"
    yield f"  - Verify: {markdown_prose(finding.how_to_verify)}"
    yield f"  - `calmo-pagerduty findings show {reported.id}`"


def _part(report: AccountReport, part: AnalysisPart) -> Iterator[str]:
    zone = zone_of(report.time_zone)
    yield from ("", f"## {escape_markdown(part.definition.title)}", "")
    if part.definition.means:
        yield from (part.definition.means, "", f"Source: {part.definition.source}", "")
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in part.counts.items())
    yield f"- Window: {period_text(part.window.start, part.window.end, zone)}"
    yield f"- Rests on: {escape_markdown(counts, MAX_TEXT)}; snapshot {code_span(part.snapshot_id)}"
    yield f"- As of {time_text(part.now, zone)}; version {part.version}; SHA-256 `{part.digest[:16]}`"
    yield f"- Findings: {part.finding_count}"
    for table in part.tables:
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    yield from ("", f"### {escape_markdown(table.title)}", "")
    yield f"| {' | '.join(escape_markdown(column) for column in table.columns)} |"
    yield f"|{'---|' * len(table.columns)}"
    for row in table.rows:
        yield f"| {' | '.join(escape_markdown(cell).replace('|', '&#124;') for cell in row)} |"
    if table.omitted:
        yield from ("", f"and {table.omitted} more")
