"""Findings about persons, as a reader sees them who may not see these persons.

Such a reader learns that there is something, how bad it is, and of which team or schedule; neither who it is
nor figures, which in a small team would tell it.
"""

from collections.abc import Mapping
from dataclasses import replace

from calmo_pagerduty.access.permissions import PERSONS_READ
from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.findings.model import Finding

USER = "user"
HIDDEN = f"hidden: it is about a person, and needs the permission {PERSONS_READ}"


def is_shown(finding: Finding, persons: PersonVisibility) -> bool:
    """Tell whether the reader may see the whole finding."""
    users = [entity.id for entity in finding.entities if entity.kind == USER]
    return not finding.about_persons or persons.admits(users)


def finding_for(finding: Finding, persons: PersonVisibility) -> Finding:
    """Return the finding as this reader may see it."""
    if is_shown(finding, persons):
        return finding
    return replace(
        finding,
        key="",
        title=f"{finding.code.replace('_', ' ').capitalize()}: a person",
        entities=tuple(entity for entity in finding.entities if entity.kind != USER),
        evidence=(),
        recommendation=HIDDEN,
        expected_effect=HIDDEN,
        how_to_verify=HIDDEN,
        how_to_undo=HIDDEN,
        at=None,
    )


def evidence_for(
    finding: Finding, evidence: tuple[Mapping[str, object], ...], persons: PersonVisibility
) -> tuple[Mapping[str, object], ...]:
    """Return earlier evidence of this finding as the reader may see it."""
    return evidence if is_shown(finding, persons) else ()
