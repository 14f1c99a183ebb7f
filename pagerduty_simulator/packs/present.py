"""The present of a company: incidents that open, page people and resolve themselves."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from pagerduty_simulator.account import Account
from pagerduty_simulator.events import Event
from pagerduty_simulator.packs.company import Company, ServiceProfile
from pagerduty_simulator.packs.everyday import (
    background_changes,
    background_incidents,
    draw_trouble,
    key_of,
    title_of,
)
from pagerduty_simulator.packs.truth import GroundTruth, PackWorld
from pagerduty_simulator.packs.vocabulary import Trouble
from pagerduty_simulator.past import IncidentLife, write_past
from pagerduty_simulator.resources import User


class Present:
    """Writes the past of a company, then plays later steps in the order of time."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.events: list[Event] = []

    @property
    def account(self) -> Account:
        """The company's account."""
        return self.company.account

    def begin_after(
        self, at: datetime, calm: Iterable[ServiceProfile], more: Iterable[IncidentLife] = ()
    ) -> None:
        """Write the everyday past until `at`, without open incidents on the `calm` services."""
        background_changes(self.company)
        quiet = {entry.service.id for entry in calm}
        lives = [
            life
            for life in (*background_incidents(self.company, at), *more)
            if life.resolved_at is not None or life.service.id not in quiet
        ]
        write_past(self.account, lives, self.company.rng)

    def open(self, profile: ServiceProfile, at: datetime, trouble: Trouble | None = None) -> str:
        """Open an incident of the service with its alert; return its id."""
        company, account = self.company, self.account
        trouble = trouble or draw_trouble(profile, company.rng)
        title, key = title_of(profile.service, trouble, company.rng), key_of(profile.service, trouble)
        with account.at(at):
            events = account.trigger(profile.service.id, title, urgency=trouble.urgency, incident_key=key)
            incident_id = str(events[0].incident_id)
            details = {"source": profile.service.name, "check": trouble.check}
            account.add_alert(incident_id, title, "critical", details, key)
        self.events += events
        return incident_id

    def acknowledge(self, incident_id: str, at: datetime) -> None:
        """Let the first assignee acknowledge the incident."""
        with self.account.at(at):
            by = self.account.incident(incident_id).assignees[0].id
            self.events += self.account.acknowledge(incident_id, by=by)

    def world(self, truth: GroundTruth) -> PackWorld:
        """Return the account with its ground truth and events."""
        return PackWorld(self.account, truth, tuple(self.events))

    def truth(self, incident_id: str, profile: ServiceProfile) -> GroundTruth:
        """Return the ground truth that every incident has: its responder, and whom the policy pages."""
        company, now = self.company, self.company.now
        (lead,) = (
            target for target in profile.service.escalation_policy.levels[1] if isinstance(target, User)
        )
        on_call = dict.fromkeys((company.on_call(profile.service, now).id, lead.id))
        fixer = company.responder(profile.service, now)
        return GroundTruth(incident_id, profile.service.id, fixer_id=fixer.id, on_call_ids=tuple(on_call))


def shift_changes(account: Account, by: timedelta, since: datetime, until: datetime) -> None:
    """Shift all changes in time, wrapping within [since, until): rates stay, causes vanish."""
    owned = account.belongings.change_events
    for change in tuple(owned.values()):
        if since <= change.timestamp < until:
            shifted = since + (change.timestamp + by - since) % (until - since)
            owned[change.id] = replace(change, timestamp=shifted)
