"""A post-incident report as JSON."""

from typing import Any, Literal

from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.post_incident.model import (
    TITLE_OF_PART,
    Figure,
    PostIncidentReport,
    ReportAddition,
    ReportPart,
    Sentence,
)

SCHEMA: Literal["calmo.post_incident/1"] = "calmo.post_incident/1"


def report_document(report: PostIncidentReport) -> dict[str, Any]:
    """Return the report as JSON values, in a fixed order."""
    issue = report.issue
    return {
        "schema": SCHEMA,
        "issue_id": issue.ref.issue_id,
        "incident_id": issue.ref.incident_id,
        "title": report.title,
        "service": issue.service.name or issue.service.id if issue.service else None,
        "status": issue.status,
        "severity": issue.severity,
        "priority": issue.priority,
        "began_at": to_utc(issue.created_at).isoformat(),
        "figures": [_figure(figure) for figure in report.figures],
        "parts": [_part(part) for part in report.parts],
        "sources": list(report.sources),
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "seconds": figure.seconds,
        "definition": figure.definition,
        "cites": list(figure.cites),
    }


def _part(part: ReportPart) -> dict[str, Any]:
    return {
        "part": part.part,
        "title": TITLE_OF_PART[part.part],
        "sentences": [_sentence(sentence) for sentence in part.sentences],
        "lacking": list(part.lacking),
        "additions": [_addition(addition) for addition in part.additions],
    }


def _sentence(sentence: Sentence) -> dict[str, Any]:
    at = sentence.at
    return {
        "at": to_utc(at).isoformat() if at else None,
        "text": sentence.text,
        "cites": list(sentence.cites),
    }


def _addition(addition: ReportAddition) -> dict[str, Any]:
    return {
        "id": addition.id,
        "author": addition.author,
        "at": to_utc(addition.at).isoformat(),
        "text": addition.text,
    }
