"""What others call us by: workflow types, signals, queries, search attributes. Changing one breaks them."""

from temporalio.common import SearchAttributeKey

from calmo_pagerduty.contexts.runs import CONTEXT_WORKFLOW, GATHER_AGAIN, PROGRESS, context_workflow_id
from calmo_pagerduty.kernel.incident_ref import IncidentRef

INCIDENT_WORKFLOW = "IncidentWorkflow"
TOOL_CALL_WORKFLOW = "ToolCallWorkflow"
RECONCILE_WORKFLOW = "ReconcileWorkflow"
DOCTOR_WORKFLOW = "DoctorWorkflow"
INCIDENT_CONTEXT_WORKFLOW = CONTEXT_WORKFLOW
ACCOUNT_MEMORY_WORKFLOW = "AccountMemoryWorkflow"

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
    """The task queue of what asks PagerDuty: a storm of it must not delay incidents."""
    return f"{task_queue}-pagerduty"


def reconcile_workflow_id(connection_id: str) -> str:
    """The id of a connection's comparison with PagerDuty, and of its schedule."""
    return f"pd-reconcile:{connection_id}"


def doctor_workflow_id(connection_id: str) -> str:
    """The id of the examination of a connection's webhooks, and of its schedule."""
    return f"pd-doctor:{connection_id}"


def context_id(ref: IncidentRef) -> str:
    """The id of the gathering of an incident's context: there is one at a time."""
    return context_workflow_id(ref)


def account_memory_workflow_id(connection_id: str) -> str:
    """The id of the reading of an account's past, in the background."""
    return f"pd-memory:{connection_id}"
