"""Tools for agents that are endpoints of our own REST API: reports of the on-call analyses, and findings.

A row names the endpoint; its input model is the tool's input schema, and its permission the tool's. Over
HTTP the endpoint's handler is called in this process, over standard input by way of the REST API. PagerDuty
is not asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE, ISSUES_READ
from calmo_pagerduty.tools.classes import Category
from ingress.api.endpoints import NoInput
from ingress.api.models import Model
from ingress.coverage.models import CoverageQuery, NowNextQuery, ReadinessQuery
from ingress.dependencies.models import MapQuery, ReportQuery
from ingress.escalation.models import LintQuery, ResponseQuery, SimulationQuery
from ingress.findings.models import DismissBody, FindingListQuery
from ingress.mcp.report_shapes import CONNECTION_FIELD, CONNECTION_PATH, ReportShape
from ingress.oncall.models import RunBody
from ingress.patterns.models import PatternsQuery, StoriesQuery
from ingress.performance.models import PerformanceQuery
from ingress.post_incident.models import PostIncidentQuery
from ingress.scheduling.models import OptimiseBody, WhatIfBody
from ingress.trends.models import CapacityQuery, TrendsQuery
from ingress.workload.models import CoverQuery, CoverRequestListQuery, PeriodQuery, WorkloadQuery


@dataclass(frozen=True, slots=True)
class ReportTool:
    """One endpoint as a tool. `takes` and `permission` are the endpoint's own; a test compares them."""

    name: str
    method: str
    path: str
    takes: type[Model]
    permission: str
    category: Category
    title: str
    description: str
    _: KW_ONLY
    writes: bool = False

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def shape(self) -> ReportShape:
        """What agents' servers know of it."""
        has_fields = self.takes is not NoInput
        below_connection = self.path.startswith(CONNECTION_PATH)
        return ReportShape(
            name=self.name,
            method=self.method,
            path=self.path,
            category=self.category,
            title=self.title,
            description=self.description,
            writes=self.writes,
            fields=self.takes.model_json_schema() if has_fields else {},
            is_limited=not below_connection and CONNECTION_FIELD in self.takes.model_fields,
        )


WORKLOAD_TOOLS: Sequence[ReportTool] = (
    ReportTool(
        "get_workload",
        "GET",
        "/api/connections/{id}/workload",
        WorkloadQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show on-call workload",
        "Shows hours, nights, weekends and interruptions, past and planned: shares beside their targets,"
        " pages beside what chance alone brings, Google's limits, debts. Persons if the key may see them.",
    ),
    ReportTool(
        "check_working_time",
        "GET",
        "/api/connections/{id}/workload/working-time",
        PeriodQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Check working time",
        "Checks rest and average hours of people on call against the published template. Indicative.",
    ),
    ReportTool(
        "suggest_cover",
        "GET",
        "/api/connections/{id}/cover",
        CoverQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Suggest who covers",
        "Suggests who could cover a person's time on call, or parts of it: awake and least loaded first, with"
        " reasons why others can't. Nothing changes.",
    ),
    ReportTool(
        "list_cover_requests",
        "GET",
        "/api/connections/{id}/cover-requests",
        CoverRequestListQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "List requests for cover",
        "Lists who was asked to cover a time on call, why, and how it ended.",
    ),
)
DEPENDENCY_TOOLS: Sequence[ReportTool] = (
    ReportTool(
        "get_service_map",
        "GET",
        f"{CONNECTION_PATH}/dependencies/map",
        MapQuery,
        FINDINGS_READ,
        Category.SERVICES,
        "Show the map of services",
        "Shows which services depend on which, with open incidents, the worst priority and how many failed"
        " services lie below each; cycles, and services without dependencies. Ask for a part with focus and"
        " hops, team or text; at shows a past moment.",
    ),
    ReportTool(
        "get_critical_services",
        "GET",
        f"{CONNECTION_PATH}/dependencies/critical",
        ReportQuery,
        FINDINGS_READ,
        Category.SERVICES,
        "Show what is critical",
        "Shows for each business service the hours of impact, who contributed, the critical chain, and what"
        " bringing a service to 99.95 % would gain.",
    ),
    ReportTool(
        "list_single_points_of_failure",
        "GET",
        f"{CONNECTION_PATH}/dependencies/single-points",
        ReportQuery,
        FINDINGS_READ,
        Category.SERVICES,
        "List single points of failure",
        "Lists services through which alone others reach a business service, those with most hours first.",
    ),
    ReportTool(
        "list_undeclared_dependencies",
        "GET",
        f"{CONNECTION_PATH}/dependencies/undeclared",
        ReportQuery,
        FINDINGS_READ,
        Category.SERVICES,
        "List undeclared dependencies",
        "Lists services whose incidents begin together more often than by chance, with p, the false discovery"
        " rate and the incidents. Whether one depends on the other is for a person to say.",
    ),
)
TREND_TOOLS: Sequence[ReportTool] = (
    ReportTool(
        "get_trends",
        "GET",
        f"{CONNECTION_PATH}/trends",
        TrendsQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show trends and forecasts of incidents",
        "Shows per service and team whether incidents come more often, tested over all services together,"
        " with n and intervals; no trend is an answer. Seasons in the service's zone, a watch for sudden"
        " rises with its rate of false alarms; forecasts that beat simple ones in back-tests, or why not.",
    ),
    ReportTool(
        "get_capacity",
        "GET",
        f"{CONNECTION_PATH}/capacity",
        CapacityQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show on-call capacity",
        "Shows each policy's incidents per shift of twelve hours beside the limit of two, when it will be"
        " reached with an interval or that there is no trend, people needed, and incidents and engaged hours"
        " of services and teams. null is unknown.",
    ),
    ReportTool(
        "get_performance",
        "GET",
        f"{CONNECTION_PATH}/performance",
        PerformanceQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show how fast groups answer and resolve",
        "Shows per service, team or policy the median and 90 % time to acknowledge and to resolve, open"
        " incidents censored, with n and intervals; PagerDuty's own metrics recomputed; and whether it is"
        " faster or slower than the window before by a test. Durations are in seconds; null is unknown.",
    ),
)
PATTERN_TOOLS: Sequence[ReportTool] = (
    ReportTool(
        "get_patterns",
        "GET",
        f"{CONNECTION_PATH}/patterns",
        PatternsQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show patterns in incidents",
        "Shows what repeats in the last 90 days, with what a change would have avoided, replayed on the"
        " account's own history: alerts that flap and the pause to set, services that page without need with"
        " Wilson's bounds, alerts to group. Each with pages avoided of all pages. null is unknown.",
    ),
    ReportTool(
        "get_stories",
        "GET",
        "/api/stories",
        StoriesQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show incidents that belong together",
        "Shows incidents of several teams, or accounts of one owner, as one story with every team's part and"
        " the reason: a dependency, a common upstream service, the same change, or services that begin"
        " together beyond chance at a false discovery rate of 5 %. Live, and of past hours.",
    ),
)
RUN_TOOLS: Sequence[ReportTool] = (
    ReportTool(
        "run_oncall_analyses",
        "POST",
        f"{CONNECTION_PATH}/oncall/runs",
        RunBody,
        FINDINGS_WRITE,
        Category.ON_CALL,
        "Run the on-call analyses",
        "Reads the account anew and runs all on-call analyses on it; with as_of, on the stored snapshot of"
        " that time. It takes minutes: list_oncall_runs shows how far it is. Nothing changes in PagerDuty.",
        writes=True,
    ),
    ReportTool(
        "list_oncall_runs",
        "GET",
        f"{CONNECTION_PATH}/oncall/runs",
        NoInput,
        FINDINGS_READ,
        Category.ON_CALL,
        "List runs of the on-call analyses",
        "Lists runs, the newest first: why they ran, how far they are, how each analysis ended.",
    ),
)
REPORT_TOOLS: Sequence[ReportTool] = (
    *RUN_TOOLS,
    *TREND_TOOLS,
    *PATTERN_TOOLS,
    ReportTool(
        "list_findings",
        "GET",
        "/api/findings",
        FindingListQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "List findings",
        "Lists what the on-call analyses found wrong, the worst first: gaps in which nobody would be paged,"
        " rules that never page, dead ends, unfair load. Each has evidence, advice, and how to verify and"
        " undo it. Filter by state (new, returned, accepted, dismissed, resolved), severity, code or entity.",
    ),
    ReportTool(
        "get_finding",
        "GET",
        "/api/findings/{id}",
        NoInput,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show a finding",
        "Shows a finding with its history: when it was found, changed, decided on, resolved or returned.",
    ),
    ReportTool(
        "get_post_incident_report",
        "GET",
        "/api/issues/{id}/post-incident",
        PostIncidentQuery,
        ISSUES_READ,
        Category.CONTEXT,
        "Show a post-incident report",
        "Shows what happened in one incident: minute by minute, who was paged and when they answered, what"
        " changed before, what it reached, who did what, what Calmo did and why. Each sentence cites events,"
        " log entries, changes or calls; what is not known is said.",
    ),
    ReportTool(
        "accept_finding",
        "POST",
        "/api/findings/{id}/accept",
        NoInput,
        FINDINGS_WRITE,
        Category.ON_CALL,
        "Accept a finding",
        "Says that somebody takes care of a finding. Nothing changes in PagerDuty.",
        writes=True,
    ),
    ReportTool(
        "dismiss_finding",
        "POST",
        "/api/findings/{id}/dismiss",
        DismissBody,
        FINDINGS_WRITE,
        Category.ON_CALL,
        "Dismiss a finding",
        "Says, with a reason, that a finding needs no care. It stays dismissed unless it gets worse. Nothing"
        " changes in PagerDuty.",
        writes=True,
    ),
    ReportTool(
        "simulate_escalation",
        "GET",
        f"{CONNECTION_PATH}/escalation/simulation",
        SimulationQuery,
        FINDINGS_READ,
        Category.ESCALATION,
        "Simulate an incident",
        "Shows whom PagerDuty would page, on what and after how many minutes, if an incident began on a"
        " service"
        " and nobody acknowledged: level by level until the path is exhausted; who is assigned and not paged,"
        " and why; and whether an incident would be created at all.",
    ),
    ReportTool(
        "lint_escalation_policies",
        "GET",
        f"{CONNECTION_PATH}/escalation/lint",
        LintQuery,
        FINDINGS_READ,
        Category.ESCALATION,
        "Lint escalation policies",
        "Lists what would keep a page from reaching somebody in the next days: the same person twice, a"
        " single"
        " person or level, rules that never page, exhausted paths with their log entries; with evidence, a"
        " recommendation and how to undo it.",
    ),
    ReportTool(
        "get_escalation_response",
        "GET",
        f"{CONNECTION_PATH}/escalation/response",
        ResponseQuery,
        FINDINGS_READ,
        Category.ESCALATION,
        "Show how incidents are answered",
        "Shows per policy how incidents are acknowledged: right-censored curves per level, the"
        " probability that"
        " nobody answers, the expected time, advice on delays with its test, and where the time goes. null is"
        " unknown, with a reason.",
    ),
    ReportTool(
        "list_escalation_drills",
        "GET",
        f"{CONNECTION_PATH}/escalation/drills",
        NoInput,
        FINDINGS_READ,
        Category.ESCALATION,
        "List escalation drills",
        "Lists drills with what was expected and seen, and each difference between PagerDuty and the"
        " simulation.",
    ),
    ReportTool(
        "get_coverage",
        "GET",
        f"{CONNECTION_PATH}/coverage",
        CoverageQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show coverage",
        "Shows where nobody would be paged in the next 1 to 90 days: by policy, level, service and schedule,"
        " with the cause and remedy of each gap and the incidents to expect in it, dates at which coverage"
        " ends, orphaned overrides and conflicts. Intended off hours are listed apart. Limits say what is"
        " unknown.",
    ),
    ReportTool(
        "get_readiness",
        "GET",
        f"{CONNECTION_PATH}/readiness",
        ReadinessQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show readiness",
        "Shows who of the people on call can be paged, on which channel, at high and at low urgency, and"
        " who is paged only after the policy has moved on. What PagerDuty does not say is unknown.",
    ),
    ReportTool(
        "get_on_call_now_and_next",
        "GET",
        f"{CONNECTION_PATH}/now-next",
        NowNextQuery,
        FINDINGS_READ,
        Category.ON_CALL,
        "Show who is on call now and next",
        "Shows for each service the first level with somebody on call, until when, who is next, and a"
        " checklist of what may stop a page: disabled, maintenance, low urgency, nobody on call.",
    ),
    ReportTool(
        "ask_what_if",
        "POST",
        f"{CONNECTION_PATH}/what-if",
        WhatIfBody,
        FINDINGS_READ,
        Category.ON_CALL,
        "Ask what a change would do",
        "Shows what a scenario would do before anybody does it: a person leaves, joins or is away, a new"
        " rotation, other delays or targets of a policy, a clock change, a holiday. Before and after by name:"
        " who is on call, gaps, hours, nights, expected dropped incidents, extra pages of level 2. Nothing"
        " changes in PagerDuty. Refused if our rendering of a schedule differs from PagerDuty's.",
    ),
    ReportTool(
        "optimise_schedule",
        "POST",
        f"{CONNECTION_PATH}/what-if/optimise",
        OptimiseBody,
        FINDINGS_READ,
        Category.ON_CALL,
        "Optimise a schedule",
        "Finds the exact best one and two swaps for a schedule's coming shifts, then the best roster, within"
        " rest, leave and wishes, with the price of each broken wish, or why no roster is possible. Each plan"
        " has a draft. Nothing changes until apply_schedule_draft is called with it and approved.",
    ),
    *WORKLOAD_TOOLS,
    *DEPENDENCY_TOOLS,
)
REPORT_TOOL_BY_NAME: Mapping[str, ReportTool] = {tool.name: tool for tool in REPORT_TOOLS}
#: By the name of the tool.
REPORT_SHAPES: Mapping[str, ReportShape] = {tool.name: tool.shape for tool in REPORT_TOOLS}
