"""What random accounts have is answered as PagerDuty's document says."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from calmo_pagerduty.http_client import tls_context
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.packs.random_on_call import pages_of_case, random_cases, random_on_call
from pagerduty_simulator.rest_api import AccountSite, running_rest_api
from pagerduty_simulator.shift_schedules import ShiftSchedule
from tests.pagerduty_simulator.rest.published_schema import PublishedSchema
from tests.support.patience import ANSWER
from tests.support.rest_account import Api

NOW = datetime(2026, 3, 20, 15, 0, tzinfo=UTC)
SPAN = {"since": NOW.isoformat(), "until": (NOW + timedelta(days=30)).isoformat()}


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_account_is_answered_as_the_document_says(seed: int) -> None:
    published = PublishedSchema()
    account = random_on_call(now=NOW, seed=seed)
    for case in sorted(random_cases(account, seed=seed, count=3), key=lambda drawn: drawn.at):
        pages_of_case(account, case)
    site, complaints = AccountSite(account, clock=ManualClock(NOW)), []
    site.add_token("full")
    schedules = account.belongings.schedules.values()
    async with (
        running_rest_api(site) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=tls_context(), timeout=ANSWER) as http,
    ):
        api = Api(site, http)
        for operation, path, query in (
            ("listServices", "/services", {}),
            ("listUsers", "/users", {}),
            ("listEscalationPolicies", "/escalation_policies", {}),
            ("listLogEntries", "/log_entries", {"since": NOW.isoformat()}),
            ("listMaintenanceWindows", "/maintenance_windows", {}),
            *(
                ("getUserContactMethods", f"/users/{user_id}/contact_methods", {})
                for user_id in account.users
            ),
            *(
                ("getScheduleV3", f"/v3/schedules/{schedule.id}", {**SPAN, "include[]": "final_schedule"})
                for schedule in schedules
                if isinstance(schedule, ShiftSchedule)
            ),
            *(
                ("getSchedule", f"/schedules/{schedule.id}", SPAN)
                for schedule in schedules
                if not isinstance(schedule, ShiftSchedule)
            ),
        ):
            answer = await api.get(path, limit="100", **query)
            complaints += published.complaints(operation, 200, answer)
    assert complaints == []
