"""A past for an account: many incidents that were opened, worked on and mostly resolved."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.account_state import OperationRefused

_SEVERITIES: Final = ("info", "warning", "error", "critical")
_TITLES: Final = (
    "{service}: latency above {number} ms",
    "{service}: error rate {number} per minute",
    "{service}: disk of host {number} is almost full",
    "{service}: certificate expires soon",
    "{service}: queue has {number} messages",
)
_NOTES: Final = ("Looking into it.", "Restarted the instances.", "Caused by the release; rolled back.")

_Step = tuple[datetime, int, Callable[[], object]]


class _Writer:
    """Plans the steps of single incidents; the account's clock stands where the step is."""

    def __init__(self, account: Account, rng: random.Random) -> None:
        self.account = account
        self.rng = rng
        self.steps: list[_Step] = []
        self._services = list(account.services)
        self._priorities = list(account.priorities)
        self._people = list(account.users)

    def plan(self, opened_at: datetime) -> None:
        """Plan one incident's life."""
        rng, made = self.rng, {"id": ""}
        seconds_to_ack = rng.expovariate(1 / 300)
        acked_at = opened_at + timedelta(seconds=seconds_to_ack)
        resolved_at = acked_at + timedelta(seconds=60 + rng.expovariate(1 / 3_600))
        someone = rng.choice(self._people)
        self._at(opened_at, lambda: self._open(made))
        if rng.random() < 0.1:
            self._at(resolved_at, lambda: self.account.resolve(made["id"]))
            return
        if seconds_to_ack > 900:
            self._at(opened_at + timedelta(seconds=900), lambda: self.account.escalate(made["id"]))
        self._at(acked_at, lambda: self._acknowledge(made))
        self._between(acked_at, resolved_at, made, someone)
        self._at(resolved_at, lambda: self.account.resolve(made["id"], by=someone))

    def _between(self, acked_at: datetime, resolved_at: datetime, made: dict[str, str], by: str) -> None:
        account, rng = self.account, self.rng
        other, text = rng.choice(self._people), rng.choice(_NOTES)
        may_happen: tuple[tuple[float, Callable[[], object]], ...] = (
            (0.5, lambda: account.annotate(made["id"], text, by=by)),
            (0.1, lambda: account.reassign(made["id"], (by,), by=other)),
            (0.1, lambda: account.escalate(made["id"], by=by)),
            (0.1, lambda: account.snooze(made["id"], timedelta(minutes=10), by=by)),
            (0.1, lambda: account.publish_status_update(made["id"], text, by=by)),
            (0.1, lambda: account.add_responder(made["id"], other, "Please help", by=by)),
            (0.1, lambda: account.responder_replied(made["id"], other)),
        )
        for share, step in may_happen:
            if rng.random() < share:
                self._at(acked_at + rng.random() * (resolved_at - acked_at), step)

    def _at(self, moment: datetime, step: Callable[[], object]) -> None:
        self.steps.append((moment, len(self.steps), step))

    def _open(self, made: dict[str, str]) -> None:
        rng, account = self.rng, self.account
        service = account.services[rng.choice(self._services)]
        title = rng.choice(_TITLES).format(service=service.name, number=rng.randrange(100, 999))
        priority_id = rng.choice([*self._priorities, None, None])
        urgency = rng.choice(("high", "high", "low"))
        events = account.trigger(service.id, title, priority_id=priority_id, urgency=urgency)
        made["id"] = str(events[0].incident_id)
        account.add_alert(made["id"], title, rng.choice(_SEVERITIES), {"source": service.name})

    def _acknowledge(self, made: dict[str, str]) -> None:
        assignees = self.account.incident(made["id"]).assignees
        by = assignees[0].id if assignees else self._people[0]
        self.account.acknowledge(made["id"], by=by)


def generate_history(account: Account, *, incidents: int, days: float, seed: int = 0) -> None:
    """Fill the `days` before now with incidents; what would end later is still open. Tells no webhook.

    Raises ValueError when the account has incidents already, since nothing may happen before what
    has happened.
    """
    if account.incidents:
        raise ValueError("a past is generated before anything else happens")
    present = account.now
    ends_at = present()
    begins_at = ends_at - timedelta(days=days)
    rng = random.Random(f"history/{seed}")
    writer = _Writer(account, rng)
    for _ in range(incidents):
        writer.plan(begins_at + rng.random() * timedelta(days=days))
    try:
        for moment, _, step in sorted(writer.steps, key=lambda step: step[:2]):
            if moment >= ends_at:
                break
            account.now = _standing_at(moment)
            account.wake_snoozed()
            try:
                step()
            except OperationRefused:
                # Chance planned what the incident's state does not allow: it did not happen.
                pass
    finally:
        account.now = present


def _standing_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment
