"""Build PagerDuty's REST API as an application, and run it on a loopback port."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.applications import Starlette

from pagerduty_simulator.rest import (
    analytics_metrics,
    analytics_raw,
    analytics_responders,
    audit_records,
    business_services,
    change_events,
    escalation_policies,
    incident_actions,
    incident_insights,
    incident_notes,
    incident_writes,
    incidents,
    maintenance_windows,
    oncalls,
    people,
    schedule_overrides,
    schedules_v2,
    schedules_v3,
    services,
    shifts_v3,
    standards,
    teams,
    webhook_subscriptions,
)
from pagerduty_simulator.rest.account_site import ABILITIES, AccountSite, RequestRecord
from pagerduty_simulator.rest.application import rest_routes
from pagerduty_simulator.rest.calls import Operation
from pagerduty_simulator.rest.faults import Faults
from pagerduty_simulator.rest.rate_limits import RateLimits
from pagerduty_simulator.rest.serving import running_server
from pagerduty_simulator.rest.tokens import Token

__all__ = [
    "ABILITIES",
    "OPERATIONS",
    "AccountSite",
    "Faults",
    "RateLimits",
    "RequestRecord",
    "Token",
    "build_rest_api",
    "running_rest_api",
]

OPERATIONS: Final[tuple[Operation, ...]] = (
    *incidents.OPERATIONS,
    *incident_writes.OPERATIONS,
    *incident_notes.OPERATIONS,
    *incident_actions.OPERATIONS,
    *incident_insights.OPERATIONS,
    *services.OPERATIONS,
    *business_services.OPERATIONS,
    *change_events.OPERATIONS,
    *maintenance_windows.OPERATIONS,
    *schedules_v2.OPERATIONS,
    *schedule_overrides.OPERATIONS,
    *schedules_v3.OPERATIONS,
    *shifts_v3.OPERATIONS,
    *audit_records.OPERATIONS,
    *oncalls.OPERATIONS,
    *analytics_metrics.OPERATIONS,
    *analytics_raw.OPERATIONS,
    *analytics_responders.OPERATIONS,
    *escalation_policies.OPERATIONS,
    *people.OPERATIONS,
    *teams.OPERATIONS,
    *standards.OPERATIONS,
    *webhook_subscriptions.OPERATIONS,
)


def build_rest_api(site: AccountSite) -> Starlette:
    """Return the application that serves the site."""
    return Starlette(routes=rest_routes(site, OPERATIONS))


@contextlib.asynccontextmanager
async def running_rest_api(site: AccountSite, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve the site in this event loop and yield the base URL; at the end, close the site's own sender."""
    try:
        async with running_server(build_rest_api(site), host, port) as url:
            yield url
    finally:
        await site.aclose()
