"""What a reader sees who may not see persons: whom PagerDuty pages, but not what persons set. Pure.

Who is on call is no secret among colleagues. Whose phone is off, or whose rules come too late, is between
the person and those who may see persons.
"""

from dataclasses import replace

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.escalation.drill import PageVerdict
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.persons import HIDDEN, finding_for
from calmo_pagerduty.kernel.json_values import JsonObject

SOMEBODY = "a person"


def lint_for(result: AnalysisResult, persons: PersonVisibility) -> AnalysisResult:
    """Return the lint as this reader may see it."""
    if persons.everybody:
        return result
    policies = [
        {**policy, "levels": [_level_for(level, persons) for level in policy["levels"]]}
        for policy in result.metrics["policies"]
    ]
    return replace(
        result,
        findings=tuple(finding_for(finding, persons) for finding in result.findings),
        metrics={**result.metrics, "policies": policies},
    )


def simulation_for(report: JsonObject, persons: PersonVisibility) -> JsonObject:
    """Return the simulation's report as this reader may see it."""
    unpaged = [
        silent
        if persons.admits([silent["person"]["id"]])
        else {**silent, "person": {"id": None, "name": SOMEBODY}, "rule_id": None, "delay_minutes": None}
        for silent in report["unpaged"]
    ]
    return {**report, "unpaged": unpaged}


def drill_report_for(report: JsonObject | None, persons: PersonVisibility) -> JsonObject | None:
    """Return a drill's report as this reader may see it.

    Its sentences name persons, and so do pages that differ from the simulation.
    """
    if report is None or persons.everybody or "differences" not in report:
        return report
    pages = [_page_for(page, persons) for page in report.get("pages", ())]
    return {**report, "differences": [HIDDEN for _ in report["differences"]], "pages": pages}


def _page_for(page: JsonObject, persons: PersonVisibility) -> JsonObject:
    differs = page["verdict"] in {PageVerdict.MISSING, PageVerdict.UNEXPECTED}
    if not differs or persons.admits([page["person"]["id"]]):
        return page
    return {**page, "person": {"id": None, "name": SOMEBODY}}


def _level_for(level: JsonObject, persons: PersonVisibility) -> JsonObject:
    return {
        **level,
        "never_paged_user_ids": [
            user_id for user_id in level["never_paged_user_ids"] if persons.admits([user_id])
        ],
        "late_rules": [late for late in level["late_rules"] if persons.admits([late["user_id"]])],
    }
