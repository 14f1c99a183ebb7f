"""Temporal names that others rely on: workflow types, messages, search attributes. Never change them."""

from datetime import datetime

from temporalio.common import SearchAttributeKey

from calmo_pagerduty.contexts.runs import CONTEXT_WORKFLOW, GATHER_AGAIN, PROGRESS, context_workflow_id
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.instants import format_iso_utc

INCIDENT_WORKFLOW = "IncidentWorkflow"
TOOL_CALL_WORKFLOW = "ToolCallWorkflow"
RECONCILE_WORKFLOW = "ReconcileWorkflow"
DOCTOR_WORKFLOW = "DoctorWorkflow"
INCIDENT_CONTEXT_WORKFLOW = CONTEXT_WORKFLOW
ACCOUNT_MEMORY_WORKFLOW = "AccountMemoryWorkflow"
ONCALL_DIGEST_WORKFLOW = "OnCallDigestWorkflow"
ONCALL_ANALYSIS_WORKFLOW = "OnCallAnalysisWorkflow"
ESCALATION_DRILL_WORKFLOW = "EscalationDrillWorkflow"
ROUGH_NIGHT_WORKFLOW = "RoughNightWorkflow"
REPORT_WORKFLOW = "ReportWorkflow"

QUERY_STATE = "state"
QUERY_TIMELINE = "timeline"

UPDATE_ACT = "act"
UPDATE_DECIDE = "decide"
SIGNAL_APPROVE = "approve"
SIGNAL_DENY = "deny"
QUERY_CALL_STATE = "call_state"
QUERY_RECONCILE_STATE = "reconcile_state"
SIGNAL_GATHER_AGAIN = GATHER_AGAIN
QUERY_PROGRESS = PROGRESS
QUERY_ONCALL_PROGRESS = "oncall_progress"
SIGNAL_COVER_ANSWERED = "cover_answered"

INCIDENT_ID = SearchAttributeKey.for_keyword("PdIncidentId")
CONNECTION = SearchAttributeKey.for_keyword("PdConnection")
SCOPE = SearchAttributeKey.for_keyword("PdScope")
STATUS = SearchAttributeKey.for_keyword("PdStatus")
SEVERITY = SearchAttributeKey.for_keyword("PdSeverity")
PRIORITY = SearchAttributeKey.for_keyword("PdPriority")
SERVICE = SearchAttributeKey.for_keyword("PdService")
TEAM = SearchAttributeKey.for_keyword_list("PdTeam")

#: All of them. SQLite and SQL allow a namespace 10 of type Keyword and 3 of each other type.
SEARCH_ATTRIBUTES = (INCIDENT_ID, CONNECTION, SCOPE, STATUS, SEVERITY, PRIORITY, SERVICE, TEAM)
MAX_KEYWORDS = 10


def pagerduty_queue(task_queue: str) -> str:
    """Return the task queue of activities that call PagerDuty, which must not delay incidents."""
    return f"{task_queue}-pagerduty"


def reconcile_workflow_id(connection_id: str) -> str:
    """Return the id of a connection's reconciliation, and of its schedule."""
    return f"pd-reconcile:{connection_id}"


def doctor_workflow_id(connection_id: str) -> str:
    """Return the id of the doctor's workflow for a connection, and of its schedule."""
    return f"pd-doctor:{connection_id}"


def digest_workflow_id(connection_id: str) -> str:
    """Return the id of the workflow that makes a connection's weekly digest, and of its schedule."""
    return f"pd-digest:{connection_id}"


def report_workflow_id(connection_id: str, kind: str) -> str:
    """Return the id of the workflow that makes a kind of a connection's reports, and of its schedule."""
    return f"pd-report:{kind}:{connection_id}"


def context_id(ref: IncidentRef) -> str:
    """Return the id of the workflow that gathers an incident's context: only one runs at a time."""
    return context_workflow_id(ref)


def account_memory_workflow_id(connection_id: str) -> str:
    """Return the id of the workflow that backfills an account's cache."""
    return f"pd-memory:{connection_id}"


def oncall_workflow_id(connection_id: str, as_of: datetime | None = None, now: datetime | None = None) -> str:
    """Return the id of a connection's on-call analyses, and of their schedule.

    Analyses of the past have ids of their own: they may run beside, and asking twice runs them once.
    """
    times = (format_iso_utc(moment) if moment else "" for moment in (as_of, now))
    return f"pd-oncall:{connection_id}" if as_of is None else f"pd-oncall:{connection_id}:{':'.join(times)}"


def drill_workflow_id(connection_id: str, service_id: str) -> str:
    """Return the id of a service's drill, and of its schedule: only one is held at a time."""
    return f"pd-drill:{service_id}:{connection_id}"


def ending_drill_workflow_id(drill_id: str) -> str:
    """Return the id of the workflow that ends a drill whose own was lost."""
    return f"pd-drill-end:{drill_id}"


def rough_night_workflow_id(night: str) -> str:
    """Return the id of the workflow that asks for cover after a rough night, named by its hash."""
    return f"pd-rough-night:{night}"
