"""Words about findings that digests, reports and pages share. They are plain text: each page escapes them."""

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from calmo_pagerduty.findings.model import Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.time_axis import moment_text, span_text, window_text

#: Each severity has a sign of its own, so that lists work without colour.
SEVERITY_SIGNS: Mapping[FindingSeverity, str] = {
    FindingSeverity.CRITICAL: "‼",
    FindingSeverity.HIGH: "!",
    FindingSeverity.MEDIUM: "•",
    FindingSeverity.LOW: "·",
    FindingSeverity.INFO: "i",
}
#: A line tells so many facts; the finding itself has all.
MAX_FACTS = 2
_CODE = re.compile(r"`([^`\n]+)`")


def zone_of(name: str) -> ZoneInfo:
    """Return the zone; UTC if the name is unknown."""
    return time_zone(name) or ZoneInfo("Etc/UTC")


def severity_text(finding: Finding) -> str:
    return f"{SEVERITY_SIGNS[finding.severity]} {finding.severity}"


def figures_text(finding: Finding, zone: ZoneInfo) -> str:
    """Return when it matters, the expected dropped incidents, and the first facts of the evidence."""
    parts = []
    if finding.at is not None:
        parts.append(span_text(finding.at, zone))
    if finding.expected_dropped_incidents is not None:
        parts.append(dropped_text(finding.expected_dropped_incidents))
    parts += [fact.words.rstrip(". ") for fact in finding.evidence[:MAX_FACTS] if fact.words]
    return "; ".join(parts)


def dropped_text(expected: float) -> str:
    """Return expected dropped incidents in words. A small number is not zero."""
    if expected == 0:
        return "0 dropped incidents expected"
    figure = "less than 0.01" if expected < 0.01 else f"{expected:.2f}"
    return f"{figure} dropped incidents expected"


def prose_parts(text: str) -> list[tuple[str, bool]]:
    """Return a text in parts, each with whether it is code: what stands between two backticks."""
    parts = _CODE.split(text)
    return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]


def period_text(since: int, until: int, zone: ZoneInfo) -> str:
    """Return a time with its year and zone."""
    return window_text(Span(since, until), zone)


def time_text(at: int, zone: ZoneInfo) -> str:
    return f"{moment_text(at, zone)} ({zone.key})"
