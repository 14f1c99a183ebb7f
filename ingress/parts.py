"""The object graph of the ingress."""

import asyncio
from dataclasses import dataclass, field
from functools import cached_property

from bootstrap.services import Services
from calmo_pagerduty.deliveries.journal_service import InboxJournal
from calmo_pagerduty.retention.bounds import Periods
from calmo_pagerduty.temporal import client as temporal_client
from calmo_pagerduty.temporal.task_queues import TaskKind, TaskQueues
from ingress.absences.endpoints import AbsenceEndpoints
from ingress.api.health import HealthEndpoints
from ingress.api.keys import ApiKeyEndpoints
from ingress.api.models import Links
from ingress.api.people import PeopleEndpoints
from ingress.connections.endpoints import ConnectionEndpoints
from ingress.contexts.counting import ContextCounter
from ingress.contexts.endpoints import ContextEndpoints
from ingress.coverage.endpoints import CoverageEndpoints
from ingress.deliveries.endpoints import DeliveryEndpoints
from ingress.deliveries.explanation_endpoints import ExplanationEndpoints
from ingress.deliveries.retention_sweeper import RetentionSweeper
from ingress.dependencies.endpoints import DependencyEndpoints
from ingress.escalation.drill_endpoints import DrillEndpoints
from ingress.escalation.drill_sweeper import DrillSweeper
from ingress.escalation.endpoints import EscalationEndpoints
from ingress.findings.counting import FindingCounter
from ingress.findings.digest_endpoints import DigestEndpoints
from ingress.findings.endpoints import FindingEndpoints
from ingress.findings.report_endpoints import AccountReportEndpoints
from ingress.forwarding.forwarder import Forwarder
from ingress.forwarding.incident_starter import IncidentStarter
from ingress.forwarding.journal_taker import JournalTaker
from ingress.forwarding.signal_sender import SignalSender
from ingress.incidents.action_endpoints import ActionEndpoints
from ingress.incidents.action_sender import ActionSender
from ingress.incidents.action_service import ActionService
from ingress.incidents.endpoints import IssueEndpoints
from ingress.incidents.replay_endpoints import ReplayEndpoints
from ingress.mcp.endpoint import McpEndpoint
from ingress.mcp.report_tool_endpoints import ReportToolEndpoints
from ingress.metrics import Metrics
from ingress.oncall.endpoints import OnCallEndpoints
from ingress.oncall.scheduler import OnCallScheduler
from ingress.patterns.endpoints import PatternEndpoints
from ingress.performance.endpoints import PerformanceEndpoints
from ingress.post_incident.endpoints import PostIncidentEndpoints
from ingress.reconciliation.endpoints import ReconcileEndpoints
from ingress.reconciliation.sweeper import ReconcileScheduler
from ingress.reports.endpoints import ReportEndpoints
from ingress.reports.kept_endpoints import KeptReportEndpoints
from ingress.scheduling.endpoints import ScenarioEndpoints
from ingress.tools.endpoints import ToolEndpoints
from ingress.tools.service import ToolCallDispatcher
from ingress.tools.sweeper import ToolCallSweeper
from ingress.trends.endpoints import TrendEndpoints
from ingress.trends.sweeper import RateWatchSweeper
from ingress.webhook_receiver.rate_limits import TokenBuckets
from ingress.webhook_receiver.receiver import WebhookReceiver
from ingress.webhook_receiver.webhook_directory import WebhookDirectory
from ingress.webhooks.check_endpoints import WebhookTestEndpoints
from ingress.webhooks.end_to_end_check import WebhookTestDeps
from ingress.webhooks.endpoints import WebhookEndpoints
from ingress.webhooks.subscriber import Subscriber
from ingress.webhooks.sweeper import WebhookSweeper
from ingress.workload.cover_endpoints import CoverEndpoints
from ingress.workload.endpoints import WorkloadEndpoints
from ingress.workload.settings_endpoints import WorkloadSettingsEndpoints
from ingress.workload.sweeper import RoughNightSweeper
from workflows import names


@dataclass
class Ingress:
    """All endpoints, loops and services of the ingress, built from the process's `Services`."""

    services: Services
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        services, settings = self.services, self.services.settings
        database, temporal, queue = services.database, services.temporal, settings.task_queue
        self.forwarder = Forwarder(
            database, self.metrics, self.connect, settings.instance, settings.confirm_after
        )
        self.directory = WebhookDirectory(database, services.keyring)
        buckets = TokenBuckets(settings.webhook_rate, settings.webhook_burst)
        self.webhook_receiver = WebhookReceiver(
            database, self.directory, self.metrics, buckets, self.forwarder.wake
        )
        self.tool_call_dispatcher = ToolCallDispatcher(
            database,
            services.tool_authorizer,
            services.tool_call_service,
            temporal,
            queue,
            services.proof_keys,
        )
        self.action_service = ActionService(
            database,
            services.tool_authorizer,
            services.tool_call_repository,
            self.tool_call_dispatcher,
            temporal,
            ActionSender(self.starter),
            self.forwarder.wake,
        )
        self.task_queues = TaskQueues(
            temporal, ((queue, TaskKind.WORKFLOWS), (names.pagerduty_queue(queue), TaskKind.ACTIVITIES))
        )
        self.tool_call_sweeper = ToolCallSweeper(database, self.action_service.resume)
        self.retention = RetentionSweeper(
            database,
            services.keyring,
            settings.instance,
            Periods(settings.keep_bodies, settings.keep_ids, settings.keep_issues),
        )
        self.drill_sweeper = DrillSweeper(database, temporal, queue)
        self.context_counter = ContextCounter(database, self.metrics, self._leads)
        self.finding_counter = FindingCounter(database, self.metrics, self._leads)
        self.reconcile_scheduler = ReconcileScheduler(database, self.metrics, temporal, queue, self._leads)
        self.oncall_scheduler = OnCallScheduler(database, temporal, queue)
        self.rate_watch_sweeper = RateWatchSweeper(database)
        self.rough_night_sweeper = RoughNightSweeper(database, services.cover_service, temporal, queue)
        self._make_endpoints()
        self._make_workload()
        self._make_webhooks()

    def _make_endpoints(self) -> None:
        services, links = self.services, self.links
        database, temporal, queue = services.database, services.temporal, services.settings.task_queue
        public = services.settings.public_address
        self.issues = IssueEndpoints(database, links)
        self.replays = ReplayEndpoints(database, services.incident_replayer)
        self.post_incidents = PostIncidentEndpoints(services.post_incident_service)
        self.actions = ActionEndpoints(database, self.action_service, links)
        self.contexts = ContextEndpoints(database, self.tool_call_dispatcher, temporal, queue, links)
        self.deliveries = DeliveryEndpoints(database, self.forwarder.wake)
        self.explanations = ExplanationEndpoints(database, temporal, queue)
        self.api_keys = ApiKeyEndpoints(database)
        self.tools = ToolEndpoints(database, services.keyring, self.tool_call_dispatcher, links)
        self.people = PeopleEndpoints(database, services.settings.oidc_issuer)
        self.connections = ConnectionEndpoints(database, services.keyring, services.pagerduty_clients)
        self.health = HealthEndpoints(database, services.settings.instance, temporal)
        self.reconciliation = ReconcileEndpoints(database, temporal, queue)
        self.coverage = CoverageEndpoints(services.snapshot_reader)
        self.absences = AbsenceEndpoints(database, services.absence_service, services.snapshot_reader)
        self.oncall = OnCallEndpoints(database, services.snapshot_reader, temporal, queue)
        self.escalation = EscalationEndpoints(services.snapshot_reader)
        self.dependencies = DependencyEndpoints(database, services.snapshot_reader)
        self.trends = TrendEndpoints(services.snapshot_reader)
        self.performance = PerformanceEndpoints(services.snapshot_reader)
        self.patterns = PatternEndpoints(database, services.snapshot_reader)
        self.scenarios = ScenarioEndpoints(database, services.scenario_service)
        self.drills = DrillEndpoints(
            database,
            services.drill_holder,
            services.snapshot_reader,
            temporal,
            queue,
            services.proof_keys,
        )
        self.findings = FindingEndpoints(database, services.finding_decision_service)
        self.digests = DigestEndpoints(database, services.digest_service, temporal, queue)
        self.reports = ReportEndpoints(services.report_service)
        self.kept_reports = KeptReportEndpoints(database, services.report_delivery_service, temporal, queue)
        self.account_reports = AccountReportEndpoints(services.account_report_service)
        self.report_tools = ReportToolEndpoints()
        self.mcp = McpEndpoint(database, self.tool_call_dispatcher, self.action_service, links, public)

    def _make_workload(self) -> None:
        services = self.services
        settings, snapshots = services.workload_settings_service, services.snapshot_reader
        self.workload = WorkloadEndpoints(snapshots, settings)
        self.workload_settings = WorkloadSettingsEndpoints(services.database, settings)
        self.covers = CoverEndpoints(
            services.cover_service, snapshots, self.tool_call_dispatcher, services.temporal
        )

    def _make_webhooks(self) -> None:
        services, public = self.services, self.services.settings.webhook_address
        database, keyring, temporal = services.database, services.keyring, services.temporal
        subscriber = Subscriber(database, keyring, services.pagerduty_clients, self.directory, public)
        self.webhooks = WebhookEndpoints(database, keyring, self.directory, subscriber, public)
        self.webhook_test_deps = WebhookTestDeps(
            database, keyring, self.directory, subscriber, temporal, self.task_queues, public
        )
        self.webhook_tests = WebhookTestEndpoints(self.webhook_test_deps)
        self.webhook_sweeper = WebhookSweeper(database, subscriber, temporal)

    @cached_property
    def starter(self) -> IncidentStarter:
        settings = self.services.settings
        return IncidentStarter(
            settings.task_queue,
            settings.complete_after,
            settings.continue_as_new_after,
            settings.gather_context,
            settings.public_address,
        )

    @cached_property
    def links(self) -> Links:
        namespace = temporal_client.connection_options().get("namespace", "default")
        settings = self.services.settings
        return Links(settings.temporal_ui_url, namespace, settings.public_address)

    @cached_property
    def journal_taker(self) -> JournalTaker | None:
        """What moves doors' deliveries into the inbox: only a process that forwards opens their journal."""
        journal = InboxJournal.beside(self.services.database)
        return None if journal is None else JournalTaker(journal, self.metrics, self.forwarder.wake)

    def _leads(self) -> bool:
        return self.forwarder.leading

    async def connect(self) -> SignalSender:
        """Wait until Temporal answers, without a limit. The receiver stores deliveries meanwhile."""
        client = await self.services.temporal.connect(
            names.SEARCH_ATTRIBUTES, temporal_client.FAST_FAILING_RETRY
        )
        return SignalSender(client, self.starter)

    async def stay_connected(self) -> None:
        """Connect to Temporal, for the endpoints of a process that does not forward."""
        await self.connect()
        await asyncio.Event().wait()

    def close(self) -> None:
        """Answer new deliveries with 503 and end the live streams."""
        self.webhook_receiver.closing = True
        self.issues.closing.set()
        self.contexts.closing.set()
        self.oncall.closing.set()
