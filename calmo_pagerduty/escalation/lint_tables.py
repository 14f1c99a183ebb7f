"""The lint as tables for people: markdown and CSV. Texts from PagerDuty are escaped. Pure."""

import csv
import io

from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.markdown_text import escape_markdown, markdown_link, single_line

COLUMNS = (
    "severity",
    "code",
    "title",
    "evidence",
    "recommendation",
    "expected effect",
    "verify",
    "undo",
    "link",
)
#: A spreadsheet takes a cell that begins with these for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MAX_CELL = 1000


def lint_markdown(result: AnalysisResult) -> str:
    """Return the findings, and a ladder of each policy, as markdown."""
    lines = ["# Escalation policies", "", *_doubts(result)]
    if not result.findings:
        lines.append("Nothing was found that would keep a page from reaching somebody.")
    for finding in result.findings:
        link = next((entity.html_url for entity in finding.entities if entity.html_url), None)
        lines += [
            f"## {markdown_link(escape_markdown(finding.title), link)} ({finding.severity})",
            "",
            *(f"- {escape_markdown(evidence.words, MAX_CELL)}" for evidence in finding.evidence),
            f"- **Do:** {escape_markdown(finding.recommendation, MAX_CELL)}",
            f"- **Then:** {escape_markdown(finding.expected_effect, MAX_CELL)}",
            f"- **Verify:** {escape_markdown(finding.how_to_verify, MAX_CELL)}",
            f"- **Undo:** {escape_markdown(finding.how_to_undo, MAX_CELL)}",
            "",
        ]
    lines += [
        "",
        "| policy | levels | delays (min) | loops | whole path (min) | a single person |",
        "|---|---|---|---|---|---|",
    ]
    for policy in result.metrics["policies"]:
        delays = ", ".join(str(level["delay_minutes"]) for level in policy["levels"])
        alone = policy["single_person_share"]
        share = "unknown" if alone is None else f"{alone:.1%}"
        lines.append(
            f"| {escape_markdown(policy['name'])} | {len(policy['levels'])} | {delays} |"
            f" {policy['num_loops']}"
            f" | {policy['path_minutes']} | {share} |"
        )
    return "\n".join([*lines, *_standards(result.metrics["standards"])]) + "\n"


def _standards(standards: list[JsonObject]) -> list[str]:
    """Return PagerDuty's own scores on which we differ, or how many are passed."""
    if not standards:
        return []
    passed = sum(row["passed"] for row in standards)
    return [
        "",
        f"PagerDuty's own standards: {passed} of {len(standards)} passed.",
        *(
            f"- **{escape_markdown(row['name'])}** ({row['service_id']}):"
            f" {escape_markdown(row['explanation'], MAX_CELL)}"
            for row in standards
            if row["differs"]
        ),
    ]


def lint_csv(result: AnalysisResult) -> str:
    """Return the findings as CSV with a header. No cell can be taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for finding in result.findings:
        link = next((entity.html_url for entity in finding.entities if entity.html_url), "") or ""
        cells = (
            str(finding.severity),
            finding.code,
            finding.title,
            " ".join(evidence.words for evidence in finding.evidence),
            finding.recommendation,
            finding.expected_effect,
            finding.how_to_verify,
            finding.how_to_undo,
            link,
        )
        writer.writerow([csv_cell(cell) for cell in cells])
    return out.getvalue()


def csv_cell(text: str) -> str:
    """Return a text in one line that no spreadsheet takes for a formula."""
    line = single_line(text, MAX_CELL)
    return f"'{line}" if line.startswith(_FORMULA_STARTS) else line


def _doubts(result: AnalysisResult) -> list[str]:
    inputs = result.inputs
    doubts = []
    if inputs.missing_permissions:
        doubts.append(f"**Not readable with this token:** {', '.join(inputs.missing_permissions)}.")
    if inputs.truncated:
        doubts.append(f"**Incomplete:** {', '.join(inputs.truncated)}.")
    return [*doubts, ""] if doubts else []
