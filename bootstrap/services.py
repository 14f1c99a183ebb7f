"""The services of a process: one graph, whose parts are made once, when they are first needed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from activities.contexts import ContextActivities, ContextRequests
from activities.doctor import Doctor
from activities.incidents import IncidentActivities
from activities.reconciliation import Reconciler
from activities.tool_calls import ToolCalls
from bootstrap.store import OpenStore
from calmo_pagerduty.connections.service import PagerDutyAccounts
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.gathering.backfill import AccountRemembering
from calmo_pagerduty.contexts.gathering.source_service import ContextSources
from calmo_pagerduty.contexts.gathering.version_service import ContextRecords
from calmo_pagerduty.contexts.note_service import ContextNotes
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.http_client import AsyncClient
from calmo_pagerduty.incidents.response_target_service import ResponseRecords
from calmo_pagerduty.incidents.service import IssueRecords
from calmo_pagerduty.pagerduty.client import connect
from calmo_pagerduty.reconciliation.service import ReconciliationService
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tool_calls.authorization_service import ToolGate
from calmo_pagerduty.tool_calls.record_service import ToolRecords
from calmo_pagerduty.tool_calls.service import ToolCallService
from calmo_pagerduty.webhooks.doctor_service import DoctorService

Activity = Callable[..., Any]


@dataclass(frozen=True)
class Services:
    """Replace a part with `dataclasses.replace`: everything that is made of it is then made anew."""

    settings: Settings
    database: Database
    keyring: Keyring
    temporal: TemporalHandle = field(default_factory=TemporalHandle)
    #: Makes the HTTP client that speaks to PagerDuty.
    connect_http: Callable[[], AsyncClient] = connect

    @classmethod
    def of(cls, store: OpenStore) -> "Services":
        return cls(store.settings, store.database, store.keyring)

    async def aclose(self) -> None:
        """Close the connections to PagerDuty. The database is closed by whoever opened it."""
        if "http" in vars(self):
            await self.http.aclose()

    @cached_property
    def http(self) -> AsyncClient:
        return self.connect_http()

    @cached_property
    def accounts(self) -> PagerDutyAccounts:
        return PagerDutyAccounts(self.database, self.keyring, self.http, self.settings.simulator_url)

    @cached_property
    def gate(self) -> ToolGate:
        return ToolGate(self.database)

    @cached_property
    def tool_records(self) -> ToolRecords:
        return ToolRecords(self.database, self.gate)

    @cached_property
    def tool_call_service(self) -> ToolCallService:
        return ToolCallService(self.tool_records, self.accounts)

    @cached_property
    def tool_calls(self) -> ToolCalls:
        return ToolCalls(self.tool_records, self.tool_call_service)

    @cached_property
    def issue_records(self) -> IssueRecords:
        return IssueRecords(self.database)

    @cached_property
    def response_records(self) -> ResponseRecords:
        return ResponseRecords(self.database, self.gate)

    @cached_property
    def reconciler(self) -> Reconciler:
        return Reconciler(ReconciliationService(self.database, self.accounts))

    @cached_property
    def doctor(self) -> Doctor:
        return Doctor(DoctorService(self.database, self.accounts, self.settings.public_address))

    @cached_property
    def assessor(self) -> Assessor:
        return Assessor(self.database)

    @cached_property
    def context_sources(self) -> ContextSources:
        return ContextSources(self.database, self.accounts, self.assessor)

    @cached_property
    def context_records(self) -> ContextRecords:
        return ContextRecords(self.database, self.assessor)

    @cached_property
    def context_notes(self) -> ContextNotes:
        return ContextNotes(self.database, self.gate)

    @cached_property
    def context_requests(self) -> ContextRequests:
        return ContextRequests(self.temporal, self.settings.task_queue)

    @cached_property
    def account_remembering(self) -> AccountRemembering:
        return AccountRemembering(self.database, self.context_sources, self.assessor)

    @cached_property
    def incidents(self) -> IncidentActivities:
        return IncidentActivities(self.issue_records, self.response_records)

    @cached_property
    def contexts(self) -> ContextActivities:
        return ContextActivities(
            self.context_sources, self.context_records, self.context_notes, self.account_remembering
        )

    @property
    def local_activities(self) -> tuple[Activity, ...]:
        """Short writes to our own database, and a word to Temporal: beside the workflows."""
        return (
            self.incidents.save_events,
            self.incidents.set_aside,
            self.tool_calls.file_call,
            self.tool_calls.record_decision,
            self.tool_calls.end_call,
            self.incidents.look_at_targets,
            self.reconciler.begin_run,
            self.reconciler.finish_run,
            self.contexts.begin_context,
            self.contexts.fail_context,
            self.contexts.file_note,
            self.context_requests.want_context,
        )

    @property
    def pagerduty_activities(self) -> tuple[Activity, ...]:
        """What asks PagerDuty, and what takes its time with the answers: on a queue of its own."""
        return (
            self.tool_calls.carry_out,
            self.reconciler.heal_window,
            self.doctor.examine_webhooks,
            self.doctor.enable_subscriptions,
            self.contexts.gather_source,
            self.contexts.assess_context,
            self.contexts.remember_more,
        )
