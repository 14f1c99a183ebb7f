"""Build the start of an incident's workflow, for a signal or an update.

Only `IncidentStarter` makes an `IncidentStart`, so ids, search attributes and settings are the same for
each run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.lifecycle import IncidentState, Publish
from calmo_pagerduty.incidents.operator_links import operator_links
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.webhooks.synthetic_incidents import is_synthetic
from workflows import names
from workflows.incident import IncidentStart
from workflows.searchable import incident_search_attributes

#: After this time another worker gets the workflow task, also if the first worker was killed.
WORKFLOW_TASK_TIMEOUT = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class IncidentRun:
    """A run to start: its input, and what Temporal needs to start it."""

    start: IncidentStart
    workflow_id: str
    task_queue: str
    task_timeout: timedelta
    summary: str
    #: Links back from the Temporal UI, as Markdown.
    details: str
    search_attributes: TypedSearchAttributes


@dataclass(frozen=True, slots=True)
class IncidentStarter:
    """Makes runs of incidents' workflows with these settings (see `Settings`)."""

    task_queue: str
    complete_after: timedelta
    continue_as_new_after: int
    gathers_context: bool = False
    #: The ingress's address for people.
    public_address: str = ""

    def run(
        self,
        ref: IncidentRef,
        scope: str,
        severities: Mapping[str, Severity],
        published: Publish | None,
        state: IncidentState | None = None,
    ) -> IncidentRun:
        """Return the run to start for an incident.

        `severities` maps the connection's priority names, in lower case. `published` gives the search
        attributes' first values; if None, the run sets them itself. `state` is what earlier runs left;
        if None, the run loads it. A synthetic incident gathers no context.
        """
        start = IncidentStart(
            ref=ref,
            severities=severities,
            published=published,
            state=state,
            complete_after=self.complete_after,
            continue_as_new_after=self.continue_as_new_after,
            public_address=self.public_address,
            gathers_context=self.gathers_context and not is_synthetic(ref),
        )
        return IncidentRun(
            start=start,
            workflow_id=ref.workflow_id,
            task_queue=self.task_queue,
            task_timeout=WORKFLOW_TASK_TIMEOUT,
            summary=f"PagerDuty incident {ref.incident_id} of {scope}",
            details=operator_links(self.public_address, ref),
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(names.INCIDENT_ID, ref.incident_id),
                    SearchAttributePair(names.CONNECTION, ref.connection_id),
                    SearchAttributePair(names.SCOPE, scope),
                    *(incident_search_attributes(published) if published else ()),
                ]
            ),
        )
