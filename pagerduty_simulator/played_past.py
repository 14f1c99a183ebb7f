"""A past that really happened: incidents open, people are paged by their rules, and some of them answer.

So the log entries, the escalations and the dead ends of such a past are those that PagerDuty would have made.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import AccountObjects
from pagerduty_simulator.events import Event
from pagerduty_simulator.incident_log import IncidentLog
from pagerduty_simulator.pages import Page
from pagerduty_simulator.resources import IncidentStatus

#: How long after a page its receiver acknowledges; None if the person does not answer it.
Answers = Callable[[Page], timedelta | None]


@dataclass(frozen=True, slots=True)
class PlayedLife:
    """An incident to happen.

    `heals_after` is when the monitoring tool resolves it; without it, a person works on it for `works_for`
    after the acknowledgement. If nobody has answered, `found_by` resolves it `found_after` its start.
    `moves` are more steps on the incident: the time after its start, and what is done with its id.
    """

    service_id: str
    title: str
    opened_at: datetime
    works_for: timedelta = timedelta(minutes=20)
    heals_after: timedelta | None = None
    found_after: timedelta = timedelta(hours=10)
    found_by: str | None = None
    key: str | None = None
    urgency: str | None = None
    resolution: str | None = field(default=None, repr=False)
    moves: tuple[tuple[timedelta, Callable[[Account, str], tuple[Event, ...]]], ...] = ()


class _Player:
    """Plans the incidents on an account's agenda, and people's reactions while it runs."""

    def __init__(self, account: Account, answers: Answers) -> None:
        self.account = account
        self.answers = answers
        self.lives: dict[str, PlayedLife] = {}

    def open(self, life: PlayedLife) -> tuple[Event, ...]:
        """Open the incident; what nobody is there for is dropped."""
        account, number = self.account, len(self.account.incident_order)
        # With the key of an open incident, the tool would only add an alert.
        key = None if (life.service_id, life.key) in account.open_by_key else life.key
        events = account.trigger(life.service_id, life.title, urgency=life.urgency, incident_key=key)
        if len(account.incident_order) == number:
            return events
        incident_id = account.incident_order[-1]
        self.lives[incident_id] = life
        account.add_alert(incident_id, life.title, "error", {"check": life.title}, life.key)
        for page in tuple(account.pages_of(incident_id)):
            self.react(page)
        if life.heals_after is not None:
            self._later(life.opened_at + life.heals_after, account.resolve, incident_id)
        else:
            self._later(life.opened_at + life.found_after, self.find, incident_id)
        for after, move in life.moves:
            self._later(life.opened_at + after, move, account, incident_id)
        return events

    def react(self, page: Page) -> None:
        """Plan the acknowledgement of a page, if its receiver answers it."""
        if page.incident_id not in self.lives:
            return
        after = self.answers(page)
        if after is not None:
            self._later(page.at + after, self.acknowledge, page)

    def acknowledge(self, page: Page) -> tuple[Event, ...]:
        """Acknowledge the incident for the page's receiver, who then works on it."""
        account, life = self.account, self.lives[page.incident_id]
        if account.incident(page.incident_id).status is not IncidentStatus.TRIGGERED:
            return ()
        events = account.acknowledge(page.incident_id, by=page.user_id)
        if life.heals_after is None:
            done_at = account.now() + life.works_for
            resolve = partial(account.resolve, by=page.user_id, resolution=life.resolution)
            self._later(done_at, resolve, page.incident_id)
        return events

    def find(self, incident_id: str) -> tuple[Event, ...]:
        """Resolve an incident that nobody has taken."""
        life = self.lives[incident_id]
        if self.account.incident(incident_id).status is not IncidentStatus.TRIGGERED:
            return ()
        return self.account.resolve(incident_id, by=life.found_by, resolution=life.resolution)

    def _later(self, at: datetime, step: Callable[..., tuple[Event, ...]], *arguments: object) -> None:
        self.account.schedule_step(at, partial(step, *arguments))


def play_past(account: Account, lives: Sequence[PlayedLife], answers: Answers, since: datetime) -> None:
    """Let these incidents happen between `since` and the account's present; those in the future come later.

    Raises ValueError if the account has incidents already, because the past must happen first.
    """
    if account.incidents:
        raise ValueError("a past is played before anything else happens")
    player = _Player(account, answers)
    for life in lives:
        account.schedule_step(life.opened_at, partial(player.open, life))
    account.on_page = player.react
    present = account.now
    until = present()
    account.now = lambda: since
    try:
        with account.without_events(), account.standing_schedules(since, until):
            account.advance_to(until)
    finally:
        account.now = present


def twin_of(account: Account, seed: object) -> Account:
    """Return an account with the same people, policies, services and schedules, but without any incidents."""
    twin = Account(now=account.now, rng=random.Random(f"twin/{seed}"), site=account.site)
    twin.users, twin.teams, twin.memberships = account.users, account.teams, account.memberships
    twin.escalation_policies, twin.services = account.escalation_policies, account.services
    twin.priorities = account.priorities
    windows = account.belongings.maintenance_windows
    twin.belongings = AccountObjects(schedules=account.belongings.schedules, maintenance_windows=windows)
    twin.log = IncidentLog(seed)
    return twin


def adopt_past(account: Account, twin: Account) -> None:
    """Add a twin's incidents and log to the account, as if both had happened in it."""
    account.incidents |= twin.incidents
    in_time = sorted(account.incidents.values(), key=lambda incident: incident.created_at)
    account.renumber(in_time)
    account.open_ids |= twin.open_ids
    account.open_by_key |= twin.open_by_key
    account.pages |= twin.pages
    account.dropped += twin.dropped
    account.belongings.alerts |= twin.belongings.alerts
    account.log.adopt(twin.log)
