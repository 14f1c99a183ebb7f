"""Findings and results as JSON, and back. The same result gives the same bytes."""

import dataclasses
import hashlib
import json
import math
from typing import Any

from calmo_pagerduty.findings.model import (
    AnalysisInputs,
    AnalysisResult,
    Confidence,
    Entity,
    Evidence,
    Finding,
    FindingSeverity,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject, storable_text

#: No text in a finding or a result is longer.
MAX_TEXT = 20_000


def finding_document(finding: Finding) -> JsonObject:
    """Return the finding as JSON. A span is `[start, end]` in epoch seconds."""
    document: JsonObject = _storable(dataclasses.asdict(finding))
    return document


def finding_from_document(document: JsonObject) -> Finding:
    """Return the finding of a stored document. Fields that it doesn't know are ignored."""
    given = {name: document[name] for name in _FINDING_FIELDS if name in document}
    at = given.get("at")
    return Finding(
        **given
        | {
            "severity": FindingSeverity(given["severity"]),
            "confidence": Confidence(given["confidence"]),
            "entities": tuple(Entity(**entity) for entity in given["entities"]),
            "evidence": tuple(Evidence(**evidence) for evidence in given["evidence"]),
            "at": None if at is None else Span(*at),
        }
    )


def result_document(result: AnalysisResult) -> JsonObject:
    """Return the result as JSON."""
    document: JsonObject = _storable(dataclasses.asdict(result))
    return document


def result_from_document(document: JsonObject) -> AnalysisResult:
    """Return the result of a stored document."""
    inputs = document["inputs"]
    codes = inputs.get("conclusive_codes")
    return AnalysisResult(
        analysis=document["analysis"],
        version=document["version"],
        snapshot_id=document["snapshot_id"],
        now=document["now"],
        window=Span(*document["window"]),
        time_zone=document["time_zone"],
        inputs=AnalysisInputs(
            counts=inputs["counts"],
            fetched_at=inputs["fetched_at"],
            truncated=tuple(inputs["truncated"]),
            missing_permissions=tuple(inputs["missing_permissions"]),
            conclusive_codes=None if codes is None else tuple(codes),
            unjudged_ids=tuple(inputs.get("unjudged_ids", ())),
        ),
        metrics=document["metrics"],
        findings=tuple(finding_from_document(finding) for finding in document["findings"]),
    )


def canonical_json(document: JsonObject) -> str:
    """Return the document as JSON that is the same for equal documents."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_FINDING_FIELDS = frozenset(field.name for field in dataclasses.fields(Finding))


def _storable(value: Any) -> Any:
    """Return JSON that any database can store: no NUL, no lone surrogate, and null for what is no number."""
    if isinstance(value, str):
        return storable_text(str(value), MAX_TEXT)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {storable_text(str(name), MAX_TEXT): _storable(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(part) for part in value]
    return value
