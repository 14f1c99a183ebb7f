"""What PagerDuty does by itself: notify by rules, escalate, repeat, and end acknowledgements.

- Each assignee of a triggered incident is notified by each own rule of the incident's urgency,
  `delay_minutes` after the assignment, as long as the incident is triggered and not assigned anew. A contact
  method that is not enabled, blacklisted or gone gets nothing.
- A high-urgency incident that its policy assigned escalates after the level's delay, to the next level with
  somebody on call then. A timeout is before a notification of the same moment.
- After the last level, the path is repeated `num_loops` times, and then exhausted: the incident stays with
  the last level's people, whose remaining rules still notify them.
- An acknowledgement stops all that. The service's acknowledgement timeout, or the end of a snooze, triggers
  the incident again with its assignees, at its level. Open incidents end by the auto-resolve timeout.

Source: PagerDuty's documentation (Escalation Policies, Notification Rules, Round Robin Scheduling,
Configurable Service Settings) and the types of its log entries.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from pagerduty_simulator.agenda import Rank, Step
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.incident_log import Notification
from pagerduty_simulator.lifecycle_operations import LifecycleOperations
from pagerduty_simulator.pages import Course, Page
from pagerduty_simulator.resources import (
    EscalationPolicy,
    Incident,
    IncidentStatus,
    NotificationRule,
    User,
)
from pagerduty_simulator.support_hours import next_start

_AT_ONCE: Final = timedelta(0)
_ASSIGNS: Final = frozenset({"escalate", "assign", "delegate"})
_RESTARTS: Final = _ASSIGNS | {"urgency_change"}


class Paging(LifecycleOperations):
    """An account whose incidents go their way while its clock advances."""

    def pages_of(self, incident_id: str) -> list[Page]:
        """Return the notifications sent for an incident, in order."""
        return self.pages.get(incident_id, [])

    def is_exhausted(self, incident_id: str) -> bool:
        """Return whether the incident's escalation path has ended without an answer."""
        course = self._courses.get(incident_id)
        return course is not None and course.exhausted

    def _follow(self, kind: str | None, before: Incident | None, incident: Incident, by: User | None) -> None:
        """Start and stop the timers that follow from a change."""
        course = self._courses.setdefault(incident.id, Course())
        opens = before is None or before.status is IncidentStatus.RESOLVED
        if opens or (kind in _ASSIGNS and not (kind == "escalate" and by is None)):
            course.loop = 0
        if incident.status is IncidentStatus.RESOLVED:
            course.assignment += 1
            course.opening += 1
            return
        if opens:
            course.opening += 1
            self._plan_opening(incident, course)
        changed = before is None or before.status is not incident.status
        if incident.status is IncidentStatus.ACKNOWLEDGED:
            if changed or kind == "snooze":
                self._plan_acknowledged(incident, course)
        elif changed or kind in _RESTARTS or (before and before.assignees != incident.assignees):
            self._plan_pages(incident, course)

    def _plan(self, at: datetime, step: Step, rank: Rank) -> None:
        if self.acts_by_itself:
            self.agenda.plan(at, step, rank)

    def _plan_opening(self, incident: Incident, course: Course) -> None:
        service = self.services.get(incident.service.id, incident.service)
        if service.auto_resolve_timeout:
            at = self._instant() + timedelta(seconds=service.auto_resolve_timeout)
            self._plan(at, partial(self._auto_resolve, incident.id, course.opening), Rank.TIMEOUT)
        if incident.urgency == "low" and service.raises_urgency and service.support_hours is not None:
            starts_at = next_start(service.support_hours, self._instant())
            if starts_at is not None:
                step = partial(self._raise_urgency, incident.id, course.opening)
                self._plan(starts_at, step, Rank.TIMEOUT)

    def _plan_acknowledged(self, incident: Incident, course: Course) -> None:
        course.assignment += 1
        service = self.services.get(incident.service.id, incident.service)
        if incident.snoozed_until is not None or not service.acknowledgement_timeout:
            return
        at = self._instant() + timedelta(seconds=service.acknowledgement_timeout)
        step = partial(self._end_acknowledgement, incident.id, course.assignment)
        self._plan(at, step, Rank.TIMEOUT)

    def _plan_pages(self, incident: Incident, course: Course) -> None:
        course.assignment += 1
        course.exhausted = False
        begin, policy = self._instant(), self._policy_of(incident)
        if incident.urgency == "high" and not incident.assigned_directly and incident.assignees:
            at = begin + timedelta(minutes=policy.delay_minutes(incident.escalation_level))
            step = partial(self._time_out, incident.id, course.assignment)
            self._plan(at, step, Rank.TIMEOUT)
        for assignee in incident.assignees:
            for rule in self.users.get(assignee.id, assignee).rules(incident.urgency):
                notify = partial(self._notify, incident.id, course.assignment, assignee.id, rule)
                if rule.delay_minutes:
                    at = begin + timedelta(minutes=rule.delay_minutes)
                    self._plan(at, notify, Rank.NOTIFICATION)
                else:
                    notify()

    def _policy_of(self, incident: Incident) -> EscalationPolicy:
        """Return the incident's policy as it is now."""
        policy = incident.escalation_policy
        return self.escalation_policies.get(policy.id, policy)

    def _notify(
        self, incident_id: str, assignment: int, user_id: str, rule: NotificationRule
    ) -> tuple[Event, ...]:
        course, user = self._courses[incident_id], self.users.get(user_id)
        if course.assignment != assignment or user is None:
            return ()
        method, incident = user.contact_method(rule.contact_method_id), self.incidents[incident_id]
        if method is None or not method.enabled or method.blacklisted:
            return ()
        level = None if incident.assigned_directly else incident.escalation_level + 1
        at = self._instant()
        page = Page(at, incident_id, user_id, method.kind, level, rule.id, method.id, course.loop)
        self.pages.setdefault(incident_id, []).append(page)
        address = None if method.kind == "push_notification" else method.address
        notification = Notification(method.kind, address)
        self.log.add("notify", incident, self.log.not_before(at), None, (user,), notification=notification)
        if self.on_page is not None:
            self.on_page(page)
        return ()

    def _time_out(self, incident_id: str, assignment: int) -> tuple[Event, ...]:
        """Escalate to the next level with somebody on call; after the last, repeat or exhaust the path."""
        course, incident = self._courses[incident_id], self.incidents[incident_id]
        if course.assignment != assignment:
            return ()
        policy = self._policy_of(incident)
        level, users = self.assign(policy, incident.escalation_level + 1)
        if not users and course.loop < policy.num_loops:
            level, users = self.assign(policy, 0)
            if users:
                course.loop += 1
                self.log.add("repeat_escalation_path", incident, self.log.not_before(self._instant()), None)
        if not users:
            course.exhausted = True
            self.log.add("exhaust_escalation_path", incident, self.log.not_before(self._instant()), None)
            return ()
        moved = replace(incident, escalation_policy=policy, escalation_level=level, assignees=users)
        return self._save_and_emit(EventType.ESCALATED, moved, None, self._next_moment(_AT_ONCE))

    def _end_acknowledgement(self, incident_id: str, assignment: int) -> tuple[Event, ...]:
        if self._courses[incident_id].assignment != assignment:
            return ()
        return self.unacknowledge(incident_id)

    def _auto_resolve(self, incident_id: str, opening: int) -> tuple[Event, ...]:
        if self._courses[incident_id].opening != opening or self.incidents[incident_id].snoozed_until:
            return ()
        with self.log.timing_out():
            return self.resolve(incident_id)

    def _raise_urgency(self, incident_id: str, opening: int) -> tuple[Event, ...]:
        incident = self.incidents[incident_id]
        unanswered = incident.status is IncidentStatus.TRIGGERED and incident.urgency == "low"
        if self._courses[incident_id].opening == opening and unanswered:
            self._save_silently("urgency_change", replace(incident, urgency="high"), None)
        return ()
