"""Links from the Temporal UI back to an incident, as the Markdown that Temporal shows with a workflow.

They hold ids alone. Both lead through the dashboard, which asks people to sign in: so Temporal learns no
account's name, and the link to PagerDuty is the one of the newest event.
Source: Temporal's documentation, "Enriching the user interface": static details are Markdown.
"""

from calmo_pagerduty.kernel.incident_ref import IncidentRef


def issue_address(public_address: str, ref: IncidentRef) -> str:
    """Return the address of the incident's issue in the dashboard."""
    return f"{public_address}/dashboard/issues/{ref.issue_id}"


def operator_links(public_address: str, ref: IncidentRef) -> str:
    """Return the links. `public_address` is the ingress's address for people, without a slash at its end."""
    issue = issue_address(public_address, ref)
    return f"[The incident in Calmo's dashboard]({issue})\n\n[The incident in PagerDuty]({issue}/pagerduty)"
