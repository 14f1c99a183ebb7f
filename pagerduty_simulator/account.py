"""An in-memory PagerDuty account: state, operations on it, and the events that they cause."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from pagerduty_simulator import identifiers, payloads
from pagerduty_simulator.account_state import OperationRefused
from pagerduty_simulator.agenda import Rank
from pagerduty_simulator.belongings import Alert
from pagerduty_simulator.collaboration_operations import CollaborationOperations, with_field_values
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.paging import Paging
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import EscalationPolicy, FieldValue, Service, Team

_AT_ONCE: Final = timedelta(0)


class Account(Paging, CollaborationOperations):
    """A whole account. This class adds operations on services, and those for which no event is sent."""

    def add_service(self, name: str, policy: EscalationPolicy, teams: tuple[Team, ...] = ()) -> Service:
        """Add a service that existed before any subscription: it causes no event."""
        service = Service(self._fresh_id(self.services), name, policy, teams)
        self.services[service.id] = service
        return service

    def create_service(
        self, name: str, escalation_policy_id: str, *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Create a service with the policy's teams; its id is the event's `service_id`."""
        policy = self.escalation_policies[escalation_policy_id]
        service = replace(self.add_service(name, policy, policy.teams), created_at=self.now())
        self.save_service(service)
        return self._emit_service_event(EventType.SERVICE_CREATED, service, by)

    def rename_service(self, service_id: str, name: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Rename a service; its incidents show the new name."""
        service = replace(self.services[service_id], name=name)
        self.save_service(service)
        return self._emit_service_event(EventType.SERVICE_UPDATED, service, by)

    def delete_service(self, service_id: str, *, by: str | None = None) -> tuple[Event, ...]:
        """Delete a service; its incidents stay."""
        service = self.services.pop(service_id)
        return self._emit_service_event(EventType.SERVICE_DELETED, service, by)

    def set_service_custom_fields(
        self, service_id: str, values: Mapping[str, FieldValue], *, by: str | None = None
    ) -> tuple[Event, ...]:
        """Set a service's custom fields by name."""
        service = self.services[service_id]
        new_ids = {name: identifiers.object_id(self.rng) for name in values}
        fields, changed = with_field_values(service.custom_fields, values, new_ids)
        service = replace(service, custom_fields=fields)
        self.save_service(service)
        data = payloads.service_field_values_data(self.site, service, changed)
        return self._emit_service_event(EventType.SERVICE_CUSTOM_FIELD_VALUES_UPDATED, service, by, data)

    def ping(self, *, by: str | None = None) -> tuple[Event, ...]:
        """Make the test event that PagerDuty sends on request."""
        at, user = self._next_moment(_AT_ONCE), self._user_or_none(by)
        return (self._event(EventType.PING, payloads.ping_data(), at, user),)

    def snooze(self, incident_id: str, duration: timedelta, *, by: str | None = None) -> None:
        """Snooze an acknowledged incident. PagerDuty sends no event for it."""
        until = self.now() + duration
        snoozed = replace(self._acknowledged_incident(incident_id), snoozed_until=until)
        self._save_silently("snooze", snoozed, by)
        self.agenda.plan(until, partial(self._end_snooze, incident_id, until), Rank.TIMEOUT)

    def _end_snooze(self, incident_id: str, until: datetime) -> tuple[Event, ...]:
        if self.incidents[incident_id].snoozed_until != until:
            return ()
        return self.unacknowledge(incident_id)

    def schedule_step(self, at: datetime, step: Callable[[], tuple[Event, ...]]) -> None:
        """Schedule a step of the simulation for a time; it is skipped if the account refuses it then."""
        self.agenda.plan(at, step)

    def run_due_steps(self) -> tuple[Event, ...]:
        """Let everything happen that is due by now, in order and each at its own time; return the events.

        These are notifications, escalations and other timeouts, and scheduled steps. Whoever carries out an
        operation after some time lets happen first what is due before it.
        """
        return self._run_until(self.now())

    def advance_to(self, moment: datetime) -> tuple[Event, ...]:
        """Let everything happen until a moment; the account's own clock then stands there."""
        events = self._run_until(moment)
        if self.now() < moment:
            self.now = lambda: moment
        return events

    def _run_until(self, moment: datetime) -> tuple[Event, ...]:
        events: list[Event] = []
        for due, step in self.agenda.due(moment):
            with self.at(due), contextlib.suppress(OperationRefused):
                events += step()
        return tuple(events)

    def retitle(self, incident_id: str, title: str, *, by: str | None = None) -> None:
        """Change the title. PagerDuty sends no event for it."""
        self._save_silently("field_value_change", replace(self.incident(incident_id), title=title), by)

    def set_urgency(self, incident_id: str, urgency: str, *, by: str | None = None) -> None:
        """Change the urgency, high or low. PagerDuty sends no event for it."""
        self._save_silently("urgency_change", replace(self.incident(incident_id), urgency=urgency), by)

    def cancel_responder(self, incident_id: str, user_id: str, *, by: str | None = None) -> None:
        """Withdraw a request for help that is still pending. PagerDuty sends no event for it."""
        incident, now = self.incident(incident_id), self.now()
        responders = tuple(
            replace(responder, state="user_cancelled", updated_at=now)
            if responder.user.id == user_id
            else responder
            for responder in incident.responders
        )
        self._save_silently(None, replace(incident, responders=responders), by)

    def open_incident_ids(self) -> tuple[str, ...]:
        """Return the incidents that are not resolved, oldest first."""
        return tuple(sorted(self.open_ids, key=lambda incident_id: self.incidents[incident_id].number))

    def add_alert(
        self,
        incident_id: str,
        summary: str,
        severity: str,
        details: JsonObject | None = None,
        key: str | None = None,
    ) -> Alert:
        """Attach an alert, as a monitoring tool does. PagerDuty sends no event for it."""
        alert_id, random_key = identifiers.incident_id(self.rng), identifiers.incident_key(self.rng)
        key = key or random_key
        alert = Alert(alert_id, incident_id, key, summary, severity, self.now(), details or {})
        self.belongings.alerts.setdefault(incident_id, []).append(alert)
        return alert

    def _emit_service_event(
        self,
        event_type: EventType,
        service: Service,
        by: str | None,
        data: JsonObject | None = None,
    ) -> tuple[Event, ...]:
        if data is None:
            data = payloads.service_data(self.site, service)
        at, user = self._next_moment(_AT_ONCE), self._user_or_none(by)
        return (self._event(event_type, data, at, user, service=service),)
