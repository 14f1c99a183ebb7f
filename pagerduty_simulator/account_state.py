"""The account's objects, and the only place that makes events."""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator import identifiers, payloads
from pagerduty_simulator.agenda import Agenda
from pagerduty_simulator.belongings import AccountObjects
from pagerduty_simulator.contacts import default_contacts
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.incident_log import KIND_OF_EVENT, IncidentLog
from pagerduty_simulator.pages import Course, DroppedIncident, Page
from pagerduty_simulator.references import JsonObject, Site
from pagerduty_simulator.resources import (
    ROUND_ROBIN,
    EscalationPolicy,
    EscalationTarget,
    Incident,
    IncidentStatus,
    Priority,
    Service,
    Team,
    User,
)
from pagerduty_simulator.standing_schedules import StandingSchedules

_ONE_MILLISECOND: Final = timedelta(milliseconds=1)
# The team role of members whom nobody gave one, by their PagerDuty role.
_TEAM_ROLES: Final = {"owner": "manager", "admin": "manager", "user": "manager", "observer": "observer"}


class OperationRefused(Exception):
    """PagerDuty would refuse this operation; `code` is the number in its REST error responses.

    Source: PagerDuty's REST documentation, "Errors".
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class AccountState:
    """All objects of the account by id, in the order of their creation."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        rng: random.Random,
        site: Site | None = None,
    ) -> None:
        self.now = now
        self.rng = rng
        self.site = site or Site()
        self.users: dict[str, User] = {}
        self.teams: dict[str, Team] = {}
        # The team roles of members, by the team's id and the user's id.
        self.memberships: dict[str, dict[str, str]] = {}
        self.escalation_policies: dict[str, EscalationPolicy] = {}
        self.services: dict[str, Service] = {}
        self.priorities: dict[str, Priority] = {}
        self.incidents: dict[str, Incident] = {}
        # The index is the incident's number minus one, so the order is that of created_at.
        self.incident_order: list[str] = []
        self.open_ids: set[str] = set()
        self.open_by_key: dict[tuple[str, str], str] = {}
        self.log = IncidentLog()
        self.belongings = AccountObjects()
        self.agenda = Agenda()
        #: Without it, no timer is set: nothing happens but what callers do, and what follows at once.
        self.acts_by_itself = True
        #: Hears of each notification that is sent.
        self.on_page: Callable[[Page], None] | None = None
        self._is_silent = False
        self._standing: StandingSchedules | None = None
        #: The notifications that were sent, by incident.
        self.pages: dict[str, list[Page]] = {}
        #: What would have been an incident if somebody had been on call, or the service had been in use.
        self.dropped: list[DroppedIncident] = []
        self._courses: dict[str, Course] = {}
        # Whose turn it is on each round-robin level: the place in the ring, by policy and level.
        self._turns: dict[tuple[str, int], int] = {}
        self._latest_event_at: datetime | None = None

    def add_user(self, name: str, email: str, time_zone: str = "UTC", role: str = "user") -> User:
        """Add a user, who is notified by e-mail at once until somebody changes that, as at PagerDuty."""
        user_id = self._fresh_id(self.users)
        methods, rules = default_contacts(user_id, email)
        user = User(user_id, name, email, time_zone, role, contact_methods=methods, notification_rules=rules)
        self.users[user.id] = user
        return user

    def save_user(self, user: User) -> None:
        """Replace a user, also as a target of escalation policies and as an assignee. It causes no event."""
        self.users[user.id] = user
        for policy in tuple(self.escalation_policies.values()):
            if any(target.id == user.id for level in policy.levels for target in level):
                levels = tuple(
                    tuple(user if target.id == user.id else target for target in level)
                    for level in policy.levels
                )
                self.save_policy(replace(policy, levels=levels))
        for incident_id in self.open_ids:
            incident = self.incidents[incident_id]
            assignees = tuple(user if assignee.id == user.id else assignee for assignee in incident.assignees)
            self.incidents[incident_id] = replace(incident, assignees=assignees)

    def save_policy(self, policy: EscalationPolicy) -> None:
        """Add or replace an escalation policy, also in its services. It causes no event."""
        self.escalation_policies[policy.id] = policy
        for service in tuple(self.services.values()):
            if service.escalation_policy.id == policy.id:
                self.save_service(replace(service, escalation_policy=policy))

    def save_service(self, service: Service) -> None:
        """Add or replace a service, also in its incidents. It causes no event."""
        self.services[service.id] = service
        for incident in self.incidents.values():
            if incident.service.id == service.id:
                self.incidents[incident.id] = replace(incident, service=service)

    def add_member(self, team_id: str, user_id: str, role: str = "responder") -> None:
        """Add a user to a team as manager, responder or observer.

        An account in which nobody was added to a team has the members that policies and schedules imply.
        """
        self.memberships.setdefault(team_id, {})[user_id] = role

    def members(self, team: Team) -> dict[str, str]:
        """Return the ids of a team's members with their team roles, in the order in which they joined."""
        if self.memberships:
            return self.memberships.get(team.id, {})
        ids: dict[str, None] = {}
        for policy in self.escalation_policies.values():
            if team in policy.teams:
                ids |= {
                    target.id: None for level in policy.levels for target in level if isinstance(target, User)
                }
        for schedule in self.belongings.schedules.values():
            if team in schedule.teams:
                ids |= dict.fromkeys(schedule.user_ids())
        return {user_id: _TEAM_ROLES.get(self.users[user_id].role, "responder") for user_id in ids}

    def teams_of(self, user: User) -> list[Team]:
        """Return the teams of which the user is a member."""
        return [team for team in self.teams.values() if user.id in self.members(team)]

    def add_team(self, name: str) -> Team:
        """Add a team."""
        team = Team(self._fresh_id(self.teams), name)
        self.teams[team.id] = team
        return team

    def add_escalation_policy(
        self, name: str, levels: tuple[tuple[EscalationTarget, ...], ...], teams: tuple[Team, ...] = ()
    ) -> EscalationPolicy:
        """Add a policy that pages `levels[0]` first."""
        if not levels or not all(levels):
            raise ValueError("an escalation policy has at least one target on each level")
        policy_id = self._fresh_id(self.escalation_policies)
        policy = EscalationPolicy(policy_id, name, levels, teams)
        self.escalation_policies[policy.id] = policy
        return policy

    def add_priority(self, name: str) -> Priority:
        """Add a priority below those added before."""
        priority = Priority(self._fresh_id(self.priorities), name)
        self.priorities[priority.id] = priority
        return priority

    @contextlib.contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Set the account's clock to a moment of the past within the block."""
        present, self.now = self.now, lambda: moment
        try:
            yield
        finally:
            self.now = present

    def incident(self, incident_id: str) -> Incident:
        """Return the incident as it is now. Raises OperationRefused when there is none."""
        if incident_id not in self.incidents:
            raise OperationRefused(2100, f"Incident {incident_id} not found")
        return self.incidents[incident_id]

    def paged(self, policy: EscalationPolicy, level: int) -> tuple[User, ...]:
        """Return the users whom a level would page now, or the next level with somebody on call."""
        for number in range(level, len(policy.levels)):
            _, users = self._reached(policy, number)
            if users:
                return users
        return ()

    def assign(self, policy: EscalationPolicy, level: int) -> tuple[int, tuple[User, ...]]:
        """Return the first level, from this one on, with somebody on call now, and whom it pages.

        Levels count from 0. On a round-robin level the turn passes on. Nobody is an empty tuple.
        """
        for number in range(level, len(policy.levels)):
            place, users = self._reached(policy, number)
            if users:
                if policy.strategy(number) == ROUND_ROBIN:
                    self._turns[policy.id, number] = place + 1
                return number, users
        return level, ()

    def _reached(self, policy: EscalationPolicy, level: int) -> tuple[int, tuple[User, ...]]:
        """Return whom a level pages: all its targets, or the next in the ring with somebody on call."""
        targets = policy.levels[level]
        if policy.strategy(level) != ROUND_ROBIN:
            users = {user.id: user for target in targets for user in self._on_target(target)}
            return 0, tuple(users.values())
        turn = self._turns.get((policy.id, level), 0)
        for place in range(turn, turn + len(targets)):
            on_call = self._on_target(targets[place % len(targets)])
            if on_call:
                return place % len(targets), on_call
        return turn, ()

    def _on_target(self, target: EscalationTarget) -> tuple[User, ...]:
        if isinstance(target, User):
            return (self.users.get(target.id, target),)
        return self._on_call(target.id, self.now())

    @contextlib.contextmanager
    def without_events(self) -> Iterator[None]:
        """Make no webhook events within the block, which saves most of the time of a played past."""
        self._is_silent = True
        try:
            yield
        finally:
            self._is_silent = False

    @contextlib.contextmanager
    def standing_schedules(self, since: datetime, until: datetime) -> Iterator[None]:
        """Render each schedule only once within the block, in which no schedule may change."""
        self._standing = StandingSchedules(self.belongings.schedules, since, until)
        try:
            yield
        finally:
            self._standing = None

    def renumber(self, in_time: list[Incident]) -> None:
        """Number all incidents anew, in the order of their creation."""
        self.incident_order = [incident.id for incident in in_time]
        self.incidents = {
            incident.id: replace(incident, number=number) for number, incident in enumerate(in_time, start=1)
        }

    def _on_call(self, schedule_id: str, at: datetime) -> tuple[User, ...]:
        if self._standing is not None:
            shifts = self._standing.at(schedule_id, at)
        else:
            shifts = self.belongings.schedules[schedule_id].final_shifts(at, at + _ONE_MILLISECOND)
        ids = dict.fromkeys(shift.user_id for shift in shifts if shift.user_id is not None)
        return tuple(self.users[user_id] for user_id in ids)

    def _instant(self) -> datetime:
        """Return now in whole milliseconds."""
        now = self.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _fresh_id(self, taken: object) -> str:
        candidate = identifiers.object_id(self.rng)
        while isinstance(taken, dict) and candidate in taken:
            candidate = identifiers.object_id(self.rng)
        return candidate

    def _user_or_none(self, user_id: str | None) -> User | None:
        return None if user_id is None else self.users[user_id]

    def _next_moment(self, later: timedelta) -> datetime:
        """Return now in whole milliseconds, but always after the latest event and `later` than it.

        PagerDuty's events of an incident have distinct times too, and a receiver that orders by occurred_at
        must not depend on this machine's speed.
        """
        moment = self._instant()
        if self._latest_event_at is not None:
            moment = max(moment, self._latest_event_at + max(later, _ONE_MILLISECOND))
        self._latest_event_at = moment
        return moment

    def _event(
        self,
        event_type: EventType,
        data: JsonObject,
        occurred_at: datetime,
        by: User | None,
        *,
        incident: Incident | None = None,
        service: Service | None = None,
    ) -> Event:
        event_id = identifiers.event_id(occurred_at, self.rng)
        agent = payloads.user_agent(self.site, by)
        payload = payloads.envelope(event_id, event_type, occurred_at, data, agent=agent)
        about = incident.service if incident else service
        teams = incident.teams if incident else about.teams if about else ()
        return Event(
            id=event_id,
            event_type=event_type,
            occurred_at=occurred_at,
            incident_id=incident.id if incident else None,
            service_id=about.id if about else None,
            team_ids=tuple(team.id for team in teams),
            body=payloads.serialise(payload),
        )

    def _save_and_emit(
        self,
        event_type: EventType,
        incident: Incident,
        by: str | None,
        occurred_at: datetime,
        data: JsonObject | None = None,
    ) -> tuple[Event, ...]:
        """Store the incident's new state and return its event.

        Without `data`, the event describes the whole incident.
        """
        user = self._user_or_none(by)
        self._record(KIND_OF_EVENT.get(event_type), incident, occurred_at, user)
        if self._is_silent:
            return ()
        if data is None:
            data = payloads.incident_data(self.site, incident)
        return (self._event(event_type, data, occurred_at, user, incident=incident),)

    def _save_silently(self, kind: str | None, incident: Incident, by: str | None) -> None:
        """Store a new state that causes no webhook event."""
        self._record(kind, incident, self.now(), self._user_or_none(by))

    def _record(self, kind: str | None, incident: Incident, at: datetime, by: User | None) -> None:
        before = self.incidents.get(incident.id)
        self.incidents[incident.id] = incident
        if before is None:
            self.incident_order.append(incident.id)
        elif before.service.id != incident.service.id:
            self.open_by_key.pop((before.service.id, before.incident_key), None)
        key = (incident.service.id, incident.incident_key)
        if incident.status is IncidentStatus.RESOLVED:
            self.open_ids.discard(incident.id)
            if self.open_by_key.get(key) == incident.id:
                del self.open_by_key[key]
        else:
            self.open_ids.add(incident.id)
            self.open_by_key.setdefault(key, incident.id)
        self.log.record(kind, before, incident, at, by)
        self._follow(kind, before, incident, by)

    def _follow(self, kind: str | None, before: Incident | None, incident: Incident, by: User | None) -> None:
        """Do what follows from a change. An account without timers does nothing by itself."""
