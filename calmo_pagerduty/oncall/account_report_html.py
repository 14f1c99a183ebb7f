"""An account's page as HTML, with its plots."""

from collections.abc import Iterator

from calmo_pagerduty.findings.model import FindingSeverity
from calmo_pagerduty.oncall.account_report import AccountReport, AnalysisPart
from calmo_pagerduty.oncall.digest_html import finding_html, limits_html
from calmo_pagerduty.oncall.finding_texts import SEVERITY_SIGNS, period_text, time_text, zone_of
from calmo_pagerduty.oncall.metrics_tables import Table
from calmo_pagerduty.plots.html_page import html_page, html_text


def account_html(report: AccountReport) -> str:
    """Return the page."""
    body = "\n".join(part for part in _body(report) if part)
    return html_page(f"On-call report: {report.connection_name}", body, with_plots=bool(report.figures))


def _body(report: AccountReport) -> Iterator[str]:
    zone = zone_of(report.time_zone)
    stamp = f"Made {time_text(report.made_at, zone)} by {report.author} for {report.scope}"
    yield f"<h1>On-call report: {html_text(report.connection_name)}</h1>"
    yield f'<p class="muted">{html_text(stamp)}</p>'
    yield limits_html(report.limits, "What could not be seen")
    yield "<h2>Open findings</h2>"
    if not report.findings:
        yield '<p class="good">None.</p>'
    else:
        counts = (
            f"{SEVERITY_SIGNS[severity]} {report.count(severity)} {severity}" for severity in FindingSeverity
        )
        yield f"<p>{', '.join(counts)}</p>"
    for reported in report.findings:
        yield finding_html(reported.finding, report.time_zone, finding_id=reported.id, tag=reported.state)
    if report.figures:
        yield "<h2>Who is on call, who would be reached, who is paged</h2>"
        yield from (f'<div class="wide">{figure.inline()}</div>' for figure in report.figures)
    for part in report.parts:
        yield from _part(report, part)


def _part(report: AccountReport, part: AnalysisPart) -> Iterator[str]:
    zone = zone_of(report.time_zone)
    yield f"<h2>{html_text(part.definition.title)}</h2>"
    if part.definition.means:
        yield f"<p>{html_text(part.definition.means)}</p>"
        yield f'<p class="muted">Source: {html_text(part.definition.source)}</p>'
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in part.counts.items())
    facts = (
        ("Window", period_text(part.window.start, part.window.end, zone)),
        ("Rests on", counts),
        ("Snapshot", part.snapshot_id),
        ("As of", f"{time_text(part.now, zone)}; version {part.version}; SHA-256 {part.digest[:16]}"),
        ("Findings", str(part.finding_count)),
    )
    yield f"<dl>{''.join(f'<dt>{name}</dt><dd>{html_text(value)}</dd>' for name, value in facts)}</dl>"
    yield from (_table(table) for table in part.tables)


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html_text(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    more = f'<p class="muted">and {table.omitted} more</p>' if table.omitted else ""
    return (
        f'<h3>{html_text(table.title)}</h3><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}"
    )
