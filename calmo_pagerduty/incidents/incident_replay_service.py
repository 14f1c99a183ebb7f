"""Replays incidents with the settings of this installation."""

from dataclasses import dataclass
from datetime import timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.incident_replay import IncidentReplay, replay_incident
from calmo_pagerduty.incidents.incident_replay_queries import list_stored_events
from calmo_pagerduty.incidents.lifecycle import LifecyclePolicy
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.scopes import EVERYTHING, Visibility


@dataclass(frozen=True, slots=True)
class IncidentReplayer:
    """The settings with which workflows start, as in `LifecyclePolicy`."""

    complete_after: timedelta
    gathers_context: bool

    def replay(self, tx: Transaction, visibility: Visibility, issue: Issue) -> IncidentReplay:
        """Replay the incident of an issue that the caller sees. A finding's issue has no steps."""
        # Whoever sees the issue learns its severities, and nothing else of the connection.
        connection = connections.get_connection(tx, EVERYTHING, issue.ref.connection_id)
        events, missing = list_stored_events(tx, visibility, issue)
        policy = LifecyclePolicy(
            complete_after=self.complete_after,
            severities=connection.severities if connection else {},
            gathers_context=self.gathers_context,
        )
        return replay_incident(events, policy, missing)
