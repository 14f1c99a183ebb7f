"""Generate a past for an account: many incidents, most of them resolved."""

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
    """Plans the steps of single incidents; the account's clock is set to each step's time."""

    def __init__(self, account: Account, rng: random.Random) -> None:
        self.account = account
        self.rng = rng
        self.steps: list[_Step] = []
        self._services = list(account.services)
        self._priorities = list(account.priorities)
        self._people = list(account.users)

    def plan(self, opened_at: datetime) -> None:
        """Plan the steps of one incident."""
        rng, created = self.rng, {"id": ""}
        seconds_to_ack = rng.expovariate(1 / 300)
        acked_at = opened_at + timedelta(seconds=seconds_to_ack)
        resolved_at = acked_at + timedelta(seconds=60 + rng.expovariate(1 / 3_600))
        responder = rng.choice(self._people)
        self._at(opened_at, lambda: self._open(created))
        if rng.random() < 0.1:
            self._at(resolved_at, lambda: self.account.resolve(created["id"]))
            return
        self._at(acked_at, lambda: self._acknowledge(created))
        self._between(acked_at, resolved_at, created, responder)
        self._at(resolved_at, lambda: self.account.resolve(created["id"], by=responder))

    def _between(self, acked_at: datetime, resolved_at: datetime, created: dict[str, str], by: str) -> None:
        account, rng = self.account, self.rng
        other, text = rng.choice(self._people), rng.choice(_NOTES)
        may_happen: tuple[tuple[float, Callable[[], object]], ...] = (
            (0.5, lambda: account.annotate(created["id"], text, by=by)),
            (0.1, lambda: account.reassign(created["id"], (by,), by=other)),
            (0.1, lambda: account.escalate(created["id"], by=by)),
            (0.1, lambda: account.snooze(created["id"], timedelta(minutes=10), by=by)),
            (0.1, lambda: account.publish_status_update(created["id"], text, by=by)),
            (0.1, lambda: account.add_responder(created["id"], other, "Please help", by=by)),
            (0.1, lambda: account.responder_replied(created["id"], other)),
        )
        for share, step in may_happen:
            if rng.random() < share:
                self._at(acked_at + rng.random() * (resolved_at - acked_at), step)

    def _at(self, moment: datetime, step: Callable[[], object]) -> None:
        self.steps.append((moment, len(self.steps), step))

    def _open(self, created: dict[str, str]) -> None:
        rng, account = self.rng, self.account
        service = account.services[rng.choice(self._services)]
        title = rng.choice(_TITLES).format(service=service.name, number=rng.randrange(100, 999))
        priority_id = rng.choice([*self._priorities, None, None])
        urgency = rng.choice(("high", "high", "low"))
        events = account.trigger(service.id, title, priority_id=priority_id, urgency=urgency)
        created["id"] = str(events[0].incident_id)
        account.add_alert(created["id"], title, rng.choice(_SEVERITIES), {"source": service.name})

    def _acknowledge(self, created: dict[str, str]) -> None:
        assignees = self.account.incident(created["id"]).assignees
        by = assignees[0].id if assignees else self._people[0]
        self.account.acknowledge(created["id"], by=by)


def generate_history(account: Account, *, incidents: int, days: float, seed: int = 0) -> None:
    """Fill the `days` before now with incidents, without webhooks; an incident that would end later is open.

    Raises ValueError if the account has incidents already, because the past must be written first.
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
            account.now = _fixed_clock(moment)
            account.run_due_steps()
            try:
                step()
            except OperationRefused:
                # The random plan does not fit the incident's state: skip the step.
                pass
    finally:
        account.now = present


def _fixed_clock(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment
