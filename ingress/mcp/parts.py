"""What MCP over HTTP is made of, without the SDK."""

from dataclasses import dataclass, field

from calmo_pagerduty.db.database import Database
from ingress.api.models import Links
from ingress.incidents.action_service import ActionService
from ingress.mcp.report_endpoints import ReportEndpoints
from ingress.tools.service import ToolCallDispatcher

#: Where the request's scope holds its principal.
PRINCIPAL_KEY = "calmo.principal"


@dataclass
class McpParts:
    """What requests of agents are served with."""

    database: Database
    dispatcher: ToolCallDispatcher
    action_service: ActionService
    links: Links
    reports: ReportEndpoints = field(default_factory=ReportEndpoints)
