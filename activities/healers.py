"""The activities that make things right again, wired once for a worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activities.doctor import Doctor
from activities.pagerduty_accounts import PagerDutyAccounts
from activities.reconciliation import Reconciler
from calmo_pagerduty.store.database import Database


@dataclass(frozen=True, slots=True)
class Healers:
    """The comparison with PagerDuty and the examination of its subscriptions."""

    reconciler: Reconciler
    doctor: Doctor

    @property
    def on_our_side(self) -> tuple[Callable[..., Any], ...]:
        """Short writes to our own database."""
        return (self.reconciler.begin_run, self.reconciler.finish_run)

    @property
    def at_pagerduty(self) -> tuple[Callable[..., Any], ...]:
        """What asks PagerDuty."""
        return (
            self.reconciler.heal_window, self.doctor.examine_webhooks, self.doctor.enable_subscriptions
        )  # fmt: skip


def healers(database: Database, accounts: PagerDutyAccounts, public_address: str) -> Healers:
    return Healers(Reconciler(database, accounts), Doctor(database, accounts, public_address))
