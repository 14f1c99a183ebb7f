"""A post-incident report as Markdown. Every text from outside is escaped."""

from collections.abc import Iterator

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.instants import format_instant, format_table_instant
from calmo_pagerduty.kernel.markdown_text import escape_cell, escape_markdown
from calmo_pagerduty.post_incident.model import (
    MAX_ADDITION_LENGTH,
    TITLE_OF_PART,
    PostIncidentReport,
    ReportPart,
    Sentence,
)

MAX_SENTENCE_LENGTH = 4000


def report_markdown(report: PostIncidentReport) -> str:
    """Return the page. Times are UTC."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: PostIncidentReport) -> Iterator[str]:
    issue = report.issue
    yield f"# Post-incident report: {escape_cell(report.title)}"
    yield ""
    service = issue.service.name or issue.service.id if issue.service else "unknown"
    yield f"Service {escape_markdown(service)}; began {format_instant(issue.created_at)}; {issue.status}."
    yield f"Rests on {', '.join(report.sources)}. Times are UTC. Each sentence ends with what says so."
    yield ""
    for figure in report.figures:
        shown = "not yet" if figure.seconds is None else format_duration(figure.seconds)
        yield f"- {figure.name}: {shown} ({figure.definition}){_cites(figure.cites)}"
    for part in report.parts:
        yield from _part(part)


def _part(part: ReportPart) -> Iterator[str]:
    if not (part.sentences or part.lacking or part.additions):
        return
    yield ""
    yield f"## {TITLE_OF_PART[part.part]}"
    yield ""
    yield from (_sentence(sentence) for sentence in part.sentences)
    for lacking in part.lacking:
        yield f"- *Not known:* {escape_markdown(lacking, MAX_SENTENCE_LENGTH)}"
    for addition in part.additions:
        yield ""
        said = f"{escape_markdown(addition.author)} added on {format_instant(addition.at)}"
        yield f"> **{said}:** {escape_markdown(addition.text, MAX_ADDITION_LENGTH)}"


def _sentence(sentence: Sentence) -> str:
    at = f"`{format_table_instant(sentence.at)}` " if sentence.at else ""
    return f"- {at}{escape_markdown(sentence.text, MAX_SENTENCE_LENGTH)}{_cites(sentence.cites)}"


def _cites(cites: tuple[str, ...]) -> str:
    return f" [{escape_cell('; '.join(cites), MAX_SENTENCE_LENGTH)}]" if cites else ""
