"""The activities that gather incidents' contexts, wired once for a worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from activities.account.remembering import AccountRemembering
from activities.context.assessor import Assessor
from activities.context.notes import ContextNotes
from activities.context.records import ContextRecords
from activities.context.requests import ContextRequests
from activities.context.sources import ContextSources
from activities.pagerduty_accounts import PagerDutyAccounts
from activities.tool_gate import ToolGate
from calmo_pagerduty.store.database import Database


@dataclass(frozen=True, slots=True)
class Gatherers:
    """What gathers, what is kept of it, and what asks for it."""

    sources: ContextSources
    records: ContextRecords
    remembering: AccountRemembering
    notes: ContextNotes
    requests: ContextRequests

    @property
    def on_our_side(self) -> tuple[Callable[..., Any], ...]:
        """Short writes to our own database, and a word to Temporal."""
        return (
            self.records.begin_context, self.records.fail_context, self.notes.file_note,
            self.requests.want_context,
        )  # fmt: skip

    @property
    def at_pagerduty(self) -> tuple[Callable[..., Any], ...]:
        """What asks PagerDuty, and what takes its time with the answers."""
        return (
            self.sources.gather_source, self.records.assess_context, self.remembering.remember_more
        )  # fmt: skip


def gatherers(client: Client, database: Database, accounts: PagerDutyAccounts, task_queue: str) -> Gatherers:
    assessor = Assessor(database)
    sources = ContextSources(database, accounts, assessor)
    return Gatherers(
        sources=sources,
        records=ContextRecords(database, assessor),
        remembering=AccountRemembering(database, sources, assessor),
        notes=ContextNotes(database, ToolGate(database)),
        requests=ContextRequests(client, task_queue),
    )
