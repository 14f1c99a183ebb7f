"""A post-incident report as one HTML file without scripts, which prints well."""

from collections.abc import Iterator

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.instants import format_instant, format_table_instant
from calmo_pagerduty.plots.html_page import html_link, html_page, html_text
from calmo_pagerduty.post_incident.model import TITLE_OF_PART, PostIncidentReport, ReportPart, Sentence


def report_html(report: PostIncidentReport) -> str:
    """Return the page. Times are UTC."""
    return html_page(f"Post-incident report: {report.title}", "\n".join(_body(report)))


def _body(report: PostIncidentReport) -> Iterator[str]:
    issue = report.issue
    yield f"<h1>Post-incident report: {html_text(report.title)}</h1>"
    yield (
        f'<p class="muted">Rests on {html_text(", ".join(report.sources))}. Times are UTC.'
        " Each sentence ends with what says so.</p>"
    )
    service = issue.service.name or issue.service.id if issue.service else "unknown"
    facts = [
        ("Incident", html_link(issue.ref.incident_id, issue.url)),
        ("Service", html_text(service)),
        ("Began", html_text(format_instant(issue.created_at))),
        ("Status", html_text(issue.status)),
    ]
    for figure in report.figures:
        shown = "not yet" if figure.seconds is None else format_duration(figure.seconds)
        words = f"{html_text(f'{shown}, {figure.definition}')}{_cites(figure.cites)}"
        facts.append((html_text(figure.name), words))
    yield f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts)}</dl>"
    for part in report.parts:
        yield from _part(part)


def _part(part: ReportPart) -> Iterator[str]:
    if not (part.sentences or part.lacking or part.additions):
        return
    yield f"<h2>{html_text(TITLE_OF_PART[part.part])}</h2>"
    if part.sentences:
        rows = "".join(_row(sentence) for sentence in part.sentences)
        yield (
            '<div class="wide"><table><thead><tr><th scope="col">When</th>'
            f'<th scope="col">What</th></tr></thead><tbody>{rows}</tbody></table></div>'
        )
    for lacking in part.lacking:
        yield f'<p class="warning">Not known: {html_text(lacking)}</p>'
    for addition in part.additions:
        said = f"{addition.author} added on {format_instant(addition.at)}"
        paragraphs = "".join(f"<p>{html_text(line, 8000)}</p>" for line in addition.text.splitlines() if line)
        yield f'<div class="finding"><p class="muted">{html_text(said)}</p>{paragraphs}</div>'


def _row(sentence: Sentence) -> str:
    at = format_table_instant(sentence.at) if sentence.at else ""
    return f"<tr><td>{html_text(at)}</td><td>{html_text(sentence.text)}{_cites(sentence.cites)}</td></tr>"


def _cites(cites: tuple[str, ...]) -> str:
    return f" <code>{html_text('; '.join(cites))}</code>" if cites else ""
