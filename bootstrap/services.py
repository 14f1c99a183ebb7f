"""The services of a process: one graph, whose parts are built once, on first use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from activities.contexts import ContextActivities, ContextRequestActivities
from activities.doctor import DoctorActivities
from activities.drills import DrillActivities
from activities.incidents import IncidentActivities
from activities.oncall import OnCallActivities
from activities.oncall_digest import DigestActivities
from activities.reconciliation import ReconcileActivities
from activities.reports import ReportActivities
from activities.tool_calls import ToolCallActivities
from activities.workload import CoverActivities
from bootstrap.store import OpenStore
from calmo_pagerduty.absences.service import AbsenceService
from calmo_pagerduty.access.proofs import PURPOSE, ProofKeys
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.gathering.backfill import AccountBackfillService
from calmo_pagerduty.contexts.gathering.source_service import ContextSourceService
from calmo_pagerduty.contexts.gathering.version_service import ContextVersionService
from calmo_pagerduty.contexts.note_service import ContextNoteService
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.escalation.drill_service import DrillHolder
from calmo_pagerduty.findings.decision_service import FindingDecisionService
from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.http_client import AsyncClient
from calmo_pagerduty.incidents.action_observer import ActionObserver
from calmo_pagerduty.incidents.incident_replay_service import IncidentReplayer
from calmo_pagerduty.incidents.response_target_service import ResponseTargetService
from calmo_pagerduty.incidents.service import IssueService
from calmo_pagerduty.oncall.account_report_service import AccountReportService
from calmo_pagerduty.oncall.analysis_process_service import AnalysisProcess
from calmo_pagerduty.oncall.digest_service import DigestService
from calmo_pagerduty.oncall.service import OnCallRunService
from calmo_pagerduty.pagerduty.client import connect
from calmo_pagerduty.post_incident.service import PostIncidentService
from calmo_pagerduty.reconciliation.service import ReconciliationService
from calmo_pagerduty.reports.delivery_service import ReportDeliveryService
from calmo_pagerduty.reports.service import ReportService
from calmo_pagerduty.scheduling.continuation import continue_schedule
from calmo_pagerduty.scheduling.service import ScenarioService
from calmo_pagerduty.settings import Settings
from calmo_pagerduty.snapshots.collecting_service import SnapshotCollector
from calmo_pagerduty.snapshots.service import SnapshotReader
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.tool_calls.authorization_service import ToolAuthorizer
from calmo_pagerduty.tool_calls.record_service import ToolCallRepository
from calmo_pagerduty.tool_calls.service import ToolCallService
from calmo_pagerduty.webhooks.doctor_service import DoctorService
from calmo_pagerduty.workload.cover_service import CoverService
from calmo_pagerduty.workload.settings_service import WorkloadSettingsService

Activity = Callable[..., Any]


@dataclass(frozen=True)
class Services:
    """The graph. `dataclasses.replace` replaces a part, and all that depends on it is built again."""

    settings: Settings
    database: Database
    keyring: Keyring
    temporal: TemporalHandle = field(default_factory=TemporalHandle)
    #: Makes the HTTP client for PagerDuty.
    connect_http: Callable[[], AsyncClient] = connect

    @classmethod
    def of(cls, store: OpenStore) -> "Services":
        return cls(store.settings, store.database, store.keyring)

    async def aclose(self) -> None:
        """Close the connections to PagerDuty. The caller closes the database."""
        if "http" in vars(self):
            await self.http.aclose()
        if "analysis_process" in vars(self):
            self.analysis_process.close()

    @cached_property
    def http(self) -> AsyncClient:
        return self.connect_http()

    @cached_property
    def pagerduty_clients(self) -> PagerDutyClients:
        return PagerDutyClients(self.database, self.keyring, self.http, self.settings.simulator_url)

    @cached_property
    def tool_authorizer(self) -> ToolAuthorizer:
        return ToolAuthorizer(self.database)

    @cached_property
    def tool_call_repository(self) -> ToolCallRepository:
        return ToolCallRepository(
            self.database,
            self.tool_authorizer,
            ActionObserver(),
            self.proof_keys,
            self.settings.operator_approvals,
        )

    @cached_property
    def proof_keys(self) -> ProofKeys:
        return ProofKeys(self.keyring.derive(PURPOSE))

    @cached_property
    def tool_call_service(self) -> ToolCallService:
        return ToolCallService(self.tool_call_repository, self.pagerduty_clients)

    @cached_property
    def tool_call_activities(self) -> ToolCallActivities:
        return ToolCallActivities(self.tool_call_repository, self.tool_call_service)

    @cached_property
    def issue_service(self) -> IssueService:
        return IssueService(self.database)

    @cached_property
    def response_target_service(self) -> ResponseTargetService:
        return ResponseTargetService(self.database, self.tool_authorizer)

    @cached_property
    def reconcile_activities(self) -> ReconcileActivities:
        return ReconcileActivities(ReconciliationService(self.database, self.pagerduty_clients))

    @cached_property
    def doctor_activities(self) -> DoctorActivities:
        return DoctorActivities(
            DoctorService(self.database, self.pagerduty_clients, self.settings.webhook_address)
        )

    @cached_property
    def assessor(self) -> Assessor:
        return Assessor(self.database)

    @cached_property
    def context_source_service(self) -> ContextSourceService:
        return ContextSourceService(self.database, self.pagerduty_clients, self.assessor)

    @cached_property
    def context_version_service(self) -> ContextVersionService:
        return ContextVersionService(self.database, self.assessor)

    @cached_property
    def context_note_service(self) -> ContextNoteService:
        return ContextNoteService(self.database, self.tool_authorizer)

    @cached_property
    def context_request_activities(self) -> ContextRequestActivities:
        return ContextRequestActivities(self.temporal, self.settings.task_queue, self.settings.public_address)

    @cached_property
    def account_backfill_service(self) -> AccountBackfillService:
        return AccountBackfillService(self.database, self.context_source_service, self.assessor)

    @cached_property
    def snapshot_reader(self) -> SnapshotReader:
        return SnapshotReader(self.database)

    @cached_property
    def absence_service(self) -> AbsenceService:
        return AbsenceService(self.database)

    @cached_property
    def scenario_service(self) -> ScenarioService:
        return ScenarioService(self.database, self.snapshot_reader, self.workload_settings_service)

    @cached_property
    def workload_settings_service(self) -> WorkloadSettingsService:
        return WorkloadSettingsService(self.database)

    @cached_property
    def cover_service(self) -> CoverService:
        return CoverService(
            self.database, self.snapshot_reader, self.workload_settings_service, self.tool_authorizer
        )

    @cached_property
    def cover_activities(self) -> CoverActivities:
        return CoverActivities(self.cover_service)

    @cached_property
    def finding_service(self) -> FindingService:
        return FindingService(self.database)

    @cached_property
    def finding_decision_service(self) -> FindingDecisionService:
        return FindingDecisionService(self.database)

    @cached_property
    def snapshot_collector(self) -> SnapshotCollector:
        return SnapshotCollector(self.database, self.pagerduty_clients, continue_schedule)

    @cached_property
    def oncall_run_service(self) -> OnCallRunService:
        return OnCallRunService(
            self.database,
            self.snapshot_reader,
            self.finding_service,
            process=self.analysis_process if self.settings.analysis_process else None,
        )

    @cached_property
    def analysis_process(self) -> AnalysisProcess:
        return AnalysisProcess()

    @cached_property
    def digest_service(self) -> DigestService:
        return DigestService(self.database)

    @cached_property
    def account_report_service(self) -> AccountReportService:
        return AccountReportService(self.database, self.snapshot_reader)

    @cached_property
    def report_service(self) -> ReportService:
        return ReportService(self.database, self.snapshot_reader)

    @cached_property
    def report_delivery_service(self) -> ReportDeliveryService:
        is_simulated = self.settings.simulator_url is not None
        return ReportDeliveryService(self.database, self.keyring, self.report_service, is_simulated)

    @cached_property
    def report_activities(self) -> ReportActivities:
        return ReportActivities(self.report_delivery_service)

    @cached_property
    def incident_replayer(self) -> IncidentReplayer:
        return IncidentReplayer(self.settings.complete_after, self.settings.gather_context)

    @cached_property
    def post_incident_service(self) -> PostIncidentService:
        return PostIncidentService(self.database, self.snapshot_reader, self.incident_replayer)

    @cached_property
    def digest_activities(self) -> DigestActivities:
        return DigestActivities(self.digest_service)

    @cached_property
    def oncall_activities(self) -> OnCallActivities:
        return OnCallActivities(self.oncall_run_service, self.snapshot_collector)

    @cached_property
    def incident_activities(self) -> IncidentActivities:
        return IncidentActivities(self.issue_service, self.response_target_service)

    @cached_property
    def context_activities(self) -> ContextActivities:
        return ContextActivities(
            self.context_source_service,
            self.context_version_service,
            self.context_note_service,
            self.account_backfill_service,
        )

    @cached_property
    def drill_holder(self) -> DrillHolder:
        return DrillHolder(
            self.database,
            self.pagerduty_clients,
            self.tool_call_repository,
            self.snapshot_reader,
            self.proof_keys,
        )

    @cached_property
    def drill_activities(self) -> DrillActivities:
        return DrillActivities(self.drill_holder)

    @property
    def local_activities(self) -> tuple[Activity, ...]:
        """Activities for the workflows' task queue: short writes to our database, and calls to Temporal."""
        return (
            self.incident_activities.save_events,
            self.incident_activities.save_dead_letters,
            self.tool_call_activities.file_call,
            self.tool_call_activities.read_call,
            self.tool_call_activities.record_decision,
            self.tool_call_activities.end_call,
            self.incident_activities.check_targets,
            self.reconcile_activities.begin_run,
            self.reconcile_activities.finish_run,
            self.context_activities.begin_context,
            self.context_activities.fail_context,
            self.context_activities.create_note_call,
            self.context_request_activities.request_context,
            self.digest_activities.make_digest,
            self.oncall_activities.begin_oncall_run,
            self.oncall_activities.begin_snapshot,
            self.oncall_activities.finish_oncall_run,
            self.drill_activities.begin_drill,
            self.drill_activities.file_drill_step,
            self.drill_activities.mark_drill_opened,
            self.drill_activities.mark_drill_step_done,
            self.cover_activities.propose_cover,
            self.cover_activities.advance_cover,
        )

    @property
    def pagerduty_activities(self) -> tuple[Activity, ...]:
        """Activities for the second task queue: calls to PagerDuty, and slow work on their answers."""
        return (
            self.tool_call_activities.carry_out,
            self.reconcile_activities.reconcile_window,
            self.doctor_activities.examine_webhooks,
            self.doctor_activities.enable_subscriptions,
            self.context_activities.gather_source,
            self.context_activities.assess_context,
            self.context_activities.backfill,
            self.oncall_activities.find_snapshot,
            self.oncall_activities.read_snapshot,
            self.oncall_activities.finish_snapshot,
            self.oncall_activities.run_analysis,
            self.drill_activities.look_at_drill,
            self.drill_activities.finish_drill,
            self.report_activities.keep_report,
            self.report_activities.deliver_report,
        )
