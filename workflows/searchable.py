"""An incident's search attributes, for its start and for each change."""

from typing import Any

from temporalio.common import SearchAttributePair

from calmo_pagerduty.incidents.lifecycle import Publish
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from workflows import names

#: Temporal refuses a search attribute above 2,048 bytes, and then the workflow would be stuck.
MAX_SEARCHABLE_TEAMS = 25


def incident_search_attributes(publish: Publish) -> tuple[SearchAttributePair[Any], ...]:
    """Return the search attributes of the incident's current state."""
    teams = [team for team in publish.team_ids if INCIDENT_ID.fullmatch(team)]
    return (
        SearchAttributePair(names.STATUS, str(publish.status)),
        SearchAttributePair(names.SEVERITY, str(publish.severity)),
        SearchAttributePair(names.PRIORITY, publish.priority or ""),
        SearchAttributePair(names.SERVICE, publish.service_id or ""),
        SearchAttributePair(names.TEAM, teams[:MAX_SEARCHABLE_TEAMS]),
    )
