"""A digest as JSON, and back."""

import dataclasses

from calmo_pagerduty.findings.codec import finding_document, finding_from_document
from calmo_pagerduty.findings.lifecycle import FindingEventKind, FindingState
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.oncall.digest import Digest, DigestLine, DigestPart


def digest_document(digest: Digest) -> JsonObject:
    """Return the digest as JSON. Times are epoch seconds; each line holds its finding whole."""
    document = {
        field.name: getattr(digest, field.name)
        for field in dataclasses.fields(Digest)
        if field.name not in {"lines", "limits"}
    }
    return document | {
        "is_silent": digest.is_silent,
        "limits": list(digest.limits),
        "lines": [_line_document(line) for line in digest.lines],
    }


def digest_from_document(document: JsonObject) -> Digest:
    """Return the digest of a stored document."""
    fields = {field.name for field in dataclasses.fields(Digest)}
    given = {name: value for name, value in document.items() if name in fields}
    lines = tuple(_line_from_document(line) for line in document["lines"])
    return Digest(**given | {"lines": lines, "limits": tuple(document["limits"])})


def _line_document(line: DigestLine) -> JsonObject:
    return {
        "part": line.part.value,
        "finding_id": line.finding_id,
        "analysis": line.analysis,
        "state": line.state.value,
        "finding": finding_document(line.finding),
        "news": None if line.news is None else line.news.value,
        "reason": line.reason,
        "issue_id": line.issue_id,
        "is_hidden": line.is_hidden,
    }


def _line_from_document(document: JsonObject) -> DigestLine:
    news = document["news"]
    return DigestLine(
        **document
        | {
            "part": DigestPart(document["part"]),
            "state": FindingState(document["state"]),
            "finding": finding_from_document(document["finding"]),
            "news": None if news is None else FindingEventKind(news),
        }
    )
